# Where a vCPU begins, and the boot processor's conversation with the host.

    .section .rom.legacy, "ax"
    .code32

# EDI = slot index, EBP = signature, ESP = top of the slot.
legacy_start:
    subl $V_SIZE, %esp
    movl %ebp, V_SIGNATURE(%esp)
    movl %esp, %ebp
    movl %edi, V_INDEX(%ebp)
    leal V_SIZE(%ebp), %eax
    subl CONFIG + CONFIG_SLOT_SIZE, %eax
    movl %eax, V_SLOT(%ebp)
    lidt legacy_trap_table_pointer
    testl %edi, %edi
    jnz application_processor

    movl $0, V_GENERATION(%ebp)
1:  call dump
    testl $FLAG_WAIT, CONFIG + CONFIG_FLAGS
    jz 2f
    call wait_for_host
    cmpb $COMMAND_QUIT, %al
    je 2f
    cmpl $MAILBOX_MAGIC, MAILBOX
    jne 3f
    movl MAILBOX + MAILBOX_VCPUS, %eax
    movl %eax, CONFIG + CONFIG_VCPUS
3:  incb V_GENERATION(%ebp)
    jmp 1b
2:  movb $EXIT_OK, %al
exit:
    movl CONFIG + CONFIG_EXIT_PORT, %edx
    outb %al, %dx
halt:
    cli
    hlt
    jmp halt

application_processor:
    movl GENERATION, %eax
    movl %eax, V_GENERATION(%ebp)
    call begin
    call hello
    movl $PHASE_RESET, %eax
    movl $reset, %edx
    call run_phase
    movl $PHASE_MSRS, %eax
    movl $msrs, %edx
    call run_phase
    movl $PHASE_ENABLED, %eax
    movl $enabled, %edx
    call run_phase
    xorl %eax, %eax
    call end_stream
    call report_done
    jmp halt

# Starts the stream of this generation. The magic word comes last: with it the slot is in use.
begin:
    call apic_id
    movl %eax, V_VCPU(%ebp)
    movl V_SLOT(%ebp), %edx
    movl $0, SLOT_USED(%edx)
    movl %eax, SLOT_VCPU(%edx)
    movl V_GENERATION(%ebp), %eax
    movl %eax, SLOT_GENERATION(%edx)
    movl $SLOT_RUNNING, SLOT_STATE(%edx)
    movl $OP_NONE, SLOT_OP(%edx)
    movl $SLOT_MAGIC, SLOT_MAGIC_AT(%edx)
    addl CONFIG + CONFIG_SLOT_SIZE, %edx
    subl $SLOT_STACK + STREAM_RESERVE, %edx
    movl %edx, V_LIMIT(%ebp)
    xorl %eax, %eax
    movl %eax, V_USED(%ebp)
    movl %eax, V_OPEN(%ebp)
    movl %eax, V_SEQUENCE(%ebp)
    movl %eax, V_OVERFLOW(%ebp)
    movl $PHASE_RESET, V_PHASE(%ebp)
    ret

# EAX = the x2APIC ID where leaf 0BH is there, else the initial APIC ID; 0 without CPUID.
apic_id:
    xorl %eax, %eax
    cmpl %eax, HAS_CPUID
    je 2f
    xorl %ecx, %ecx
    cpuid
    cmpl $0xB, %eax
    jb 1f
    movl $0xB, %eax
    xorl %ecx, %ecx
    cpuid
    movl %edx, %eax
    testl %ebx, %ebx
    jnz 2f
1:  movl $1, %eax
    xorl %ecx, %ecx
    cpuid
    movl %ebx, %eax
    shrl $24, %eax
2:  ret

# Says on the debug port that the dump is complete; AL = the host's command from COM1.
wait_for_host:
    movl V_SLOT(%ebp), %edx
    movl $0, SLOT_OPERAND(%edx)
    movl $0, SLOT_OPERAND2(%edx)
    movl $OP_WAIT_HOST, SLOT_OP(%edx)
    movb $READY, %al
    movl CONFIG + CONFIG_DEBUG_PORT, %edx
    outb %al, %dx
1:  movl $0x3FD, %edx               # line status
    pause
    inb %dx, %al
    testb $1, %al
    jz 1b
    movl $0x3F8, %edx
    inb %dx, %al
    cmpb $COMMAND_DUMP, %al
    je 2f
    cmpb $COMMAND_QUIT, %al
    jne 1b
2:  ret

    .text
    .code64
