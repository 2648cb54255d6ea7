# Application processors, as in processors.rs.

    .section .rom.legacy, "ax"
    .code32

# Starts all others, waits for every one, and on the port channel sends each stream as it is finished.
run_processors:
    movl CONFIG + CONFIG_VCPUS, %esi
    cmpl $1, %esi
    jbe 5f
    decl %esi
    cmpl $DONE_QUEUE_LEN, %esi
    jbe 1f
    movl $DONE_QUEUE_LEN, %esi
1:  movl V_GENERATION(%ebp), %eax
    movl %eax, GENERATION
    movl $1, NEXT_SLOT
    movl $0, DONE_TAIL
    xorl %eax, %eax
    movl $DONE_QUEUE, %edi
    movl %esi, %ecx
    rep stosl
    movl V_SLOT(%ebp), %edx
    movl %esi, SLOT_OPERAND(%edx)
    movl $0, SLOT_OPERAND2(%edx)
    movl $OP_WAIT_APS, SLOT_OP(%edx)
    call start_processors
    xorl %edi, %edi
2:  pause
    movl DONE_QUEUE(, %edi, 4), %eax
    testl %eax, %eax
    jz 2b
    cmpl $-1, %eax                  # a vCPU for which there was no slot
    je 3f
    incl V_REPORTED(%ebp)
    testl $FLAG_PORT, CONFIG + CONFIG_FLAGS
    jz 3f
    pushl %esi
    mull CONFIG + CONFIG_SLOT_SIZE
    addl CONFIG + CONFIG_SLOT_BASE, %eax
    movl SLOT_USED(%eax), %ecx
    leal SLOT_HEADER(%eax), %esi
    movl CONFIG + CONFIG_DEBUG_PORT, %edx
    rep outsb
    popl %esi
3:  incl %edi
    cmpl %esi, %edi
    jb 2b
5:  ret

# INIT and SIPI to all others, through MSRs in x2APIC mode and through memory otherwise. Keeps ESI.
start_processors:
    movl $APIC_BASE, %ecx
    call try_rdmsr_32
    testl $1 << 10, %eax
    jnz 1f
    movl $APIC_SPURIOUS_ENABLED, LOCAL_APIC + APIC_SPURIOUS
    movl $APIC_INIT_ALL_OTHERS, LOCAL_APIC + APIC_COMMAND
    movl $APIC_SIPI_ALL_OTHERS, LOCAL_APIC + APIC_COMMAND
    ret
1:  xorl %edx, %edx
    movl $X2APIC_MSRS + APIC_SPURIOUS / 16, %ecx
    movl $APIC_SPURIOUS_ENABLED, %eax
    wrmsr
    movl $X2APIC_MSRS + APIC_COMMAND / 16, %ecx
    movl $APIC_INIT_ALL_OTHERS, %eax
    wrmsr
    movl $APIC_SIPI_ALL_OTHERS, %eax
    wrmsr
    ret

# Says that this application processor is done.
report_done:
    movl $1, %eax
    lock xaddl %eax, DONE_TAIL
    cmpl $DONE_QUEUE_LEN, %eax
    jae 1f
    movl V_INDEX(%ebp), %ecx
    movl %ecx, DONE_QUEUE(, %eax, 4)
1:  ret

    .text
    .code64
