# The 32-bit agent's interrupt descriptor table, in ROM; see the 64-bit one.

    .section .rom.legacy, "ax"
    .code32

    .balign 16
legacy_trap_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    pushl $0
    .endif
    pushl $vector
    jmp legacy_trap
    .set vector, vector + 1
    .endr

# Stack: EAX, vector, error code, EIP, CS, EFLAGS. #UD and #GP on a known instruction are an answer: EBX gets the
# status. As in the 64-bit one, no IRET; ECX is lost.
legacy_trap:
    pushl %eax
    movl 4(%esp), %eax
    cmpl $0, PROBE_STACK
    jne 4f
    cmpl $6, %eax
    je 1f
    cmpl $13, %eax
    jne legacy_fault
1:  movl 12(%esp), %eax
    cmpl $legacy_fixup_rdmsr, %eax
    je 2f
    cmpl $legacy_fixup_wrmsr, %eax
    je 2f
    cmpl $legacy_fixup_read_cr4, %eax
    je 2f
    cmpl $legacy_fixup_write_cr4, %eax
    je 2f
    cmpl $legacy_fixup_xgetbv, %eax
    je 2f
    cmpl $legacy_fixup_xsetbv, %eax
    jne legacy_fault
2:  movl 4(%esp), %ebx
    orl $0x100, %ebx
    leal 3(%eax), %ecx
    popl %eax
    addl $20, %esp
    jmpl *%ecx
# Any fault of a probe is its answer (behaviour.s).
4:  movl %eax, %ebx
    orl $0x100, %ebx
    movl PROBE_STACK, %esp
    jmp legacy_probe_faulted

# An exception that nobody expected: the vCPU says so and stops. What the open frame holds may be half an entry; it goes.
legacy_fault:
    movl $KIND_FAULT, V_KIND(%ebp)
    movl $FAULT_SIZE, V_OPEN(%ebp)
    call payload
    movl 4(%esp), %ecx
    movl %ecx, (%eax)
    movl 8(%esp), %ecx
    movl %ecx, 4(%eax)
    movl 12(%esp), %ecx
    movl %ecx, 8(%eax)
    movl $0, 12(%eax)
    movl %cr2, %ecx
    movl %ecx, 16(%eax)
    movl $0, 20(%eax)
    call seal
    movl V_SLOT(%ebp), %edx
    movl $SLOT_FAULTED, SLOT_STATE(%edx)
    cmpl $0, V_INDEX(%ebp)
    je 1f
    call report_done
    jmp halt
1:  call send_new
    movb $EXIT_FAULT, %al
    jmp exit

    .balign 8
legacy_trap_table:
    .set vector, 0
    .rept 32
    .word legacy_trap_stubs + 16 * vector - ROM
    .word 0x08
    .word 0x8E00                    # 32-bit interrupt gate, present
    .word ROM >> 16
    .set vector, vector + 1
    .endr
legacy_trap_table_pointer:
    .word legacy_trap_table_pointer - legacy_trap_table - 1
    .long legacy_trap_table

    .text
    .code64
