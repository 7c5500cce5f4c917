/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From PVH's 32-bit entry (xen/include/public/arch-x86/hvm/start_info.h) to long mode, the
 * interrupt entries, and the way of the other CPUs there.
 *
 * The KVM that these guests must run on may emulate every instruction and know no iretq, so
 * interrupts return by hand, and exceptions do not return.
 */
#include "layout.h"

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18 /* name's length, description's length, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long entry32

	.section .data
	.balign 4096
/* The first 4 GiB stand for themselves; paging.c adds what lies above. */
	.globl page_pml4
page_pml4:
	.quad page_pdpt + 3
	.fill 511, 8, 0
	.globl page_pdpt
page_pdpt:
	.quad page_pd + 0x0003, page_pd + 0x1003, page_pd + 0x2003, page_pd + 0x3003
	.fill 508, 8, 0
page_pd:
	.set at, 0
	.rept 2048
	.quad at + 0x83
	.set at, at + 0x200000
	.endr

	.balign 16
gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 0x08: 64-bit code */
	.quad 0x00cf93000000ffff /* 0x10: data */
	.quad 0x00cf9b000000ffff /* 0x18: 32-bit code */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt
	.globl pvh_info
	.balign 8
pvh_info:
	.quad 0

	.section .bss
	.balign 16
	.space STACK_SIZE
stack_top:

	.section .text
	.code32
	.globl entry32
entry32:
	cli
	cld
	lgdt gdt_pointer
	mov %ebx, pvh_info
	mov $entry64, %edi
/* Paging and long mode, then to edi. */
to_long_mode:
	mov $0x20, %eax /* PAE */
	mov %eax, %cr4
	mov $page_pml4, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx /* EFER.LME */
	rdmsr
	or $0x100, %eax
	wrmsr
	mov $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
	mov %eax, %cr0
	ljmp $0x08, $1f
	.code64
1:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	jmp *%rdi

entry64:
	lea stack_top(%rip), %rsp
	xor %ebp, %ebp
	call guest_start
1:	hlt
	jmp 1b

/*
 * Other CPUs start in real mode at TRAMPOLINE, where smp.c copies this. Each takes the next
 * number and with it a stack.
 */
	.globl trampoline, trampoline_end
	.code16
trampoline:
	cli
	cld
	xor %ax, %ax
	mov %ax, %ds
	lgdtl (TRAMPOLINE + trampoline_gdt - trampoline)
	mov $0x11, %eax /* ET, PE */
	mov %eax, %cr0
	ljmpl $0x18, $ap32
	.balign 4
trampoline_gdt:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:

	.code32
ap32:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $ap64, %edi
	jmp to_long_mode

	.code64
ap64:
	mov $1, %eax
	lock xadd %eax, ap_next(%rip)
	inc %eax
	mov %eax, %edi
	imul $AP_STACK_SIZE, %eax, %eax
	lea ap_stacks(%rip), %rsp
	add %rax, %rsp
	xor %ebp, %ebp
	call ap_start
1:	hlt
	jmp 1b

/* One entry a vector, ENTRY_SIZE bytes each; the IDT points at them. */
	.balign 16
	.globl interrupt_entries
interrupt_entries:
	.set vector, 0
	.rept 256
	.balign ENTRY_SIZE
	.if vector < 32
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	push $0 /* where the CPU pushes no error code */
	.endif
	push $vector
	jmp exception_entry
	.else
	push $vector
	jmp interrupt_entry
	.endif
	.set vector, vector + 1
	.endr

/* An exception ends the guest: struct exception_frame says what is on the stack. */
exception_entry:
	push %r15
	push %r14
	push %r13
	push %r12
	push %r11
	push %r10
	push %r9
	push %r8
	push %rbp
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rbx
	push %rax
	mov %rsp, %rdi
	and $~15, %rsp
	call exception
1:	hlt
	jmp 1b

interrupt_entry:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	mov 72(%rsp), %edi /* vector */
	push %rbp
	mov %rsp, %rbp
	and $~15, %rsp
	call interrupt
	mov %rbp, %rsp
	pop %rbp
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	/*
	 * iretq by hand, to the same ring and code segment. Now: rcx, rax, vector, rip, cs, rflags,
	 * rsp, ss. What is needed goes to the interrupted stack, below what it holds, in an order
	 * that lets both overlap; there must be no red zone.
	 */
	mov 48(%rsp), %rcx
	sub $32, %rcx
	mov 24(%rsp), %rax
	mov %rax, 24(%rcx)
	mov 40(%rsp), %rax
	mov %rax, 16(%rcx)
	mov 8(%rsp), %rax
	mov %rax, 8(%rcx)
	mov (%rsp), %rax
	mov %rax, (%rcx)
	mov %rcx, %rsp
	pop %rcx
	pop %rax
	popfq
	ret

	.section .note.GNU-stack, "", @progbits
