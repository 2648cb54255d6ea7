# The order of a dump, as in phases.rs.

    .section .rom.legacy, "ax"
    .code32

dump:
    movl $1, V_REPORTED(%ebp)
    movl $0, SENT
    call begin
    call mark_msrs
    call hello
    # A migrated guest must be looked at as it is: its reset state is long gone. But a look there must be.
    testl $1 << PHASE_ENABLED, CONFIG + CONFIG_PHASES
    jz 3f
    cmpl $0, V_GENERATION(%ebp)
    jne 1f
3:
    movl $PHASE_RESET, %eax
    movl $reset, %edx
    call run_phase
1:  movl $PHASE_MSRS, %eax
    movl $msrs, %edx
    call run_phase
    movl $PHASE_ENABLED, %eax
    movl $enabled, %edx
    call run_phase
    movl $PHASE_APS, %eax
    movl $run_processors, %edx
    call run_phase
    movl $PHASE_PROBES, %eax
    movl $probes, %edx
    call run_phase
    movl $PHASE_SWEEP, %eax
    movl $sweep, %edx
    call run_phase
    cmpl $0, V_GENERATION(%ebp)
    jne 4f
    movl $PHASE_BEHAVIOUR, %eax
    movl $behaviour, %edx
    call run_phase
4:
    movl V_REPORTED(%ebp), %eax
    call end_stream
    jmp send_new

# Runs phase EAX, which is the routine EDX, if the host selected it.
run_phase:
    btl %eax, CONFIG + CONFIG_PHASES
    jnc 1f
    pushl %edx
    pushl %eax
    call flush
    popl V_PHASE(%ebp)
    movl $KIND_PHASE_BEGIN, %eax
    call mark
    popl %edx
    call *%edx
    movl $KIND_PHASE_END, %eax
    call mark
    cmpl $0, V_INDEX(%ebp)
    je send_new
1:  ret

# On the port channel: sends what the boot processor has finished since the last time.
send_new:
    testl $FLAG_PORT, CONFIG + CONFIG_FLAGS
    jz 1f
    movl V_USED(%ebp), %ecx
    movl SENT, %eax
    movl %ecx, SENT
    subl %eax, %ecx
    movl V_SLOT(%ebp), %esi
    leal SLOT_HEADER(%esi, %eax), %esi
    movl CONFIG + CONFIG_DEBUG_PORT, %edx
    rep outsb
1:  ret

hello:
    movl $KIND_HELLO, %eax
    movl $12, %ecx
    call reserve
    testl %eax, %eax
    jz 1f
    movl $32, (%eax)
    movl CONFIG + CONFIG_VCPUS, %ecx
    movl %ecx, 4(%eax)
    movl HAS_CPUID, %ecx
    movl %ecx, 8(%eax)
1:  jmp flush

reset:
    movl %cr0, %esi
    xorl %edi, %edi
    movl $CONTROL_CR0, %ecx
    call report_control_value
    call report_cr4
    movl $EFER, %ecx
    call rdmsr_in_order
    movl $CONTROL_EFER, %ecx
    call report_control
    movl $APIC_BASE, %ecx
    call rdmsr_in_order
    movl $CONTROL_APIC_BASE, %ecx
    call report_control
    movl V_SIGNATURE(%ebp), %esi
    xorl %edi, %edi
    movl $CONTROL_RESET_EDX, %ecx
    call report_control_value
    jmp walk

msrs:
    xorl %edi, %edi
1:  pushl %edi
    movl FEATURE_MSRS(, %edi, 4), %ecx
    pushl %ecx
    call rdmsr_in_order
    popl %ecx
    movl $KIND_MSR, %eax
    call report_register
    popl %edi
    incl %edi
    cmpl $FEATURE_MSR_COUNT, %edi
    jb 1b
    ret

# Before the first dump, where that is asked for: the marks.
mark_msrs:
    testl $FLAG_MARK, CONFIG + CONFIG_FLAGS
    jz 2f
    cmpl $0, V_GENERATION(%ebp)
    jne 2f
    movl $MARKS, %esi
1:  movl V_SLOT(%ebp), %edx
    movl (%esi), %ecx
    movl %ecx, SLOT_OPERAND(%edx)
    movl $0, SLOT_OPERAND2(%edx)
    movl $OP_WRMSR, SLOT_OP(%edx)
    movl MARK_LOW(%esi), %eax
    movl MARK_HIGH(%esi), %edx
    call try_wrmsr_32
    addl $MARK_SIZE, %esi
    cmpl $MARKS + MARK_SIZE * MARK_COUNT, %esi
    jb 1b
2:  ret

# Every MSR of the host's ranges, joined into runs of indices that answer alike.
sweep:
    xorl %ebx, %ebx
1:  cmpl CONFIG + CONFIG_RANGE_COUNT, %ebx
    jae 2f
    pushl %ebx
    movl CONFIG + CONFIG_RANGES + 4(, %ebx, 8), %eax
    movl CONFIG + CONFIG_RANGES(, %ebx, 8), %ecx
    cmpl %eax, %ecx
    ja 3f
    pushl %eax
    call sweep_range
    addl $4, %esp
3:  popl %ebx
    incl %ebx
    jmp 1b
2:  ret

# From ECX to the index on the stack, inclusive.
sweep_range:
    pushl %ecx
    call rdmsr_in_order
    popl %ecx
    movl %ecx, V_RUN(%ebp)
1:  movl %ecx, V_RUN + 4(%ebp)
    movl %edx, V_RUN + 8(%ebp)
    movl %esi, V_RUN + 12(%ebp)
    movl %edi, V_RUN + 16(%ebp)
    cmpl 4(%esp), %ecx
    je report_run
    incl %ecx
    pushl %ecx
    call rdmsr_in_order
    popl %ecx
    cmpl V_RUN + 8(%ebp), %edx
    jne 2f
    cmpl V_RUN + 12(%ebp), %esi
    jne 2f
    cmpl V_RUN + 16(%ebp), %edi
    je 1b
2:  pushl %ecx
    pushl %edx
    call report_run
    popl %edx
    popl %ecx
    movl %ecx, V_RUN(%ebp)
    jmp 1b

# Keeps ESI and EDI.
report_run:
    movl $KIND_MSR_RUN, %eax
    movl $20, %ecx
    call reserve
    testl %eax, %eax
    jz 1f
    pushl %esi
    pushl %edi
    leal V_RUN(%ebp), %esi
    movl %eax, %edi
    movl $5, %ecx
    rep movsl
    popl %edi
    popl %esi
1:  ret

    .text
    .code64
