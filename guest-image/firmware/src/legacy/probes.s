# Leaves and subleaves one past each limit, as in probes.rs.

    .section .rom.legacy, "ax"
    .code32

probes:
    cmpl $0, HAS_CPUID
    je probed
    movl $1, V_REPORT(%ebp)
    movl $RANGES, %esi
1:  movl (%esi), %eax
    call last_leaf
    jc 2f
    incl %eax
    jmp 3f
2:  movl (%esi), %eax
    cmpl $HYGON, %eax
    je 4f
3:  xorl %ecx, %ecx
    call look
4:  addl $4, %esi
    cmpl $RANGES + 4 * RANGE_COUNT, %esi
    jb 1b

    movl $NOWHERE, %esi
1:  movl (%esi), %eax
    xorl %ecx, %ecx
    call look
    addl $4, %esi
    cmpl $NOWHERE + 4 * NOWHERE_COUNT, %esi
    jb 1b

    movl $PLAIN, %esi
1:  movl (%esi), %eax
    call in_range
    jc 2f
    movl (%esi), %eax
    movl $1, %ecx
    call look
2:  addl $4, %esi
    cmpl $PLAIN + 4 * PLAIN_COUNT, %esi
    jb 1b

    movl $INDEXED, %esi
1:  movl (%esi), %ebx
    cmpl $V2_TOPOLOGY, %ebx
    je 2f
    movl %ebx, %eax
    call in_range
    jc 2f
    movl $0, V_REPORT(%ebp)
    call walk_leaf
    movl $1, V_REPORT(%ebp)
    movl %ebx, %eax
    movl V_LAST(%ebp), %ecx
    incl %ecx
    call look
2:  addl $INDEXED_SIZE, %esi
    cmpl $INDEXED + INDEXED_SIZE * INDEXED_COUNT, %esi
    jb 1b

    testl $FLAG_PROBE_1F, CONFIG + CONFIG_FLAGS
    jz probed
    movl $V2_TOPOLOGY, %eax
    call in_range
    jc probed
    call flush
    xorl %esi, %esi
1:  movl $V2_TOPOLOGY, %eax
    movl %esi, %ecx
    call look
    incl %esi
    cmpl $V2_TOPOLOGY_LAST, %esi
    jbe 1b
probed:
    ret

# Carry is set unless leaf EAX is within its range. Keeps EBX, ESI and EDI.
in_range:
    pushl %eax
    andl $0xFFFF0000, %eax
    call last_leaf
    popl %ecx
    jc 1f
    cmpl %ecx, %eax
1:  ret

    .text
    .code64
