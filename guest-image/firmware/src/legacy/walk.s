# The walk over every leaf and subleaf, as in walk.rs.

    .section .rom.legacy, "ax"
    .code32

# Executes CPUID with EAX and ECX behind a breadcrumb; the answer goes into V_EAX to V_EDX and, if V_REPORT is set, into the
# stream. Keeps EBX, ESI and EDI.
look:
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %eax, %esi
    movl %ecx, %edi
    movl V_SLOT(%ebp), %edx
    movl %eax, SLOT_OPERAND(%edx)
    movl %ecx, SLOT_OPERAND2(%edx)
    movl $OP_CPUID, SLOT_OP(%edx)
    cpuid
    movl %eax, V_EAX(%ebp)
    movl %ebx, V_EBX(%ebp)
    movl %ecx, V_ECX(%ebp)
    movl %edx, V_EDX(%ebp)
    cmpl $0, V_REPORT(%ebp)
    je 1f
    movl $KIND_CPUID, %eax
    movl $24, %ecx
    call reserve
    testl %eax, %eax
    jz 1f
    movl %esi, (%eax)
    movl %edi, 4(%eax)
    leal 8(%eax), %edi
    leal V_EAX(%ebp), %esi
    movl $4, %ecx
    rep movsl
1:  popl %edi
    popl %esi
    popl %ebx
    ret

# EAX = the last leaf of the range at EAX; carry is set when there is no such range. Keeps EBX, ESI and EDI.
last_leaf:
    pushl %ebx
    pushl V_REPORT(%ebp)
    movl $0, V_REPORT(%ebp)
    movl %eax, %ebx
    cmpl $HYPERVISOR_SECOND, %eax
    jne 1f
    movl $HYPERVISOR, %eax
    call last_leaf
    jc 3f
1:  movl %ebx, %eax
    xorl %ecx, %ecx
    call look
    movl V_EAX(%ebp), %eax
    movl %eax, %ecx
    subl %ebx, %ecx
    cmpl $MAX_LEAVES, %ecx
    jbe 2f
    testl %ebx, %ebx
    jnz 3f
    movl $MAX_LEAVES, %eax
2:  popl V_REPORT(%ebp)
    popl %ebx
    clc
    ret
3:  popl V_REPORT(%ebp)
    popl %ebx
    stc
    ret

# Reports every subleaf of every leaf of every range; nothing on a processor without CPUID.
walk:
    cmpl $0, HAS_CPUID
    je 4f
    movl $1, V_REPORT(%ebp)
    movl $RANGES, %esi
1:  movl (%esi), %eax
    call last_leaf
    jc 3f
    movl %eax, %edi
    movl (%esi), %ebx
2:  call walk_leaf
    cmpl %edi, %ebx
    je 3f
    incl %ebx
    jmp 2b
3:  addl $4, %esi
    cmpl $RANGES + 4 * RANGE_COUNT, %esi
    jb 1b
4:  ret

# Looks at every subleaf of leaf EBX, in ascending order; V_LAST = the last one. Keeps EBX, ESI and EDI.
walk_leaf:
    pushl %esi
    pushl %edi
    movl $0, V_LAST(%ebp)
    movl %ebx, %eax
    xorl %ecx, %ecx
    call look
    movl $INDEXED, %esi
1:  cmpl %ebx, (%esi)
    je 2f
    addl $INDEXED_SIZE, %esi
    cmpl $INDEXED + INDEXED_SIZE * INDEXED_COUNT, %esi
    jb 1b
    jmp walked
2:  movl INDEXED_MASK(%esi), %edi
    movl INDEXED_RULE(%esi), %eax
    jmp *rules - 4(, %eax, 4)

# In the order of leaves::Rule's numbers, from 1.
    .balign 4
rules:
    .long last_in_eax, until_eax, until_ecx, bitmap_eax, bitmap_ebx, bitmap_edx, fixed, xsave, after_one

# EDI = the last subleaf.
last_in_eax:
    movl V_EAX(%ebp), %edi
fixed:
    cmpl %edi, V_LAST(%ebp)
    jae walked
    call look_at_next
    jc walked
    jmp fixed

# Subleaves 1 and 2, then as until_eax.
after_one:
    call look_at_next
    call look_at_next
# ESI = the output that says whether there is a further subleaf, EDI = its mask.
until_eax:
    leal V_EAX(%ebp), %esi
    jmp until
until_ecx:
    leal V_ECX(%ebp), %esi
until:
    testl %edi, (%esi)
    jz walked
    call look_at_next
    jnc until
    jmp walked

# ESI:EDI = the subleaves left to look at.
bitmap_eax:
    movl V_EAX(%ebp), %edi
    jmp bitmap
bitmap_ebx:
    movl V_EBX(%ebp), %edi
    jmp bitmap
bitmap_edx:
    movl V_EDX(%ebp), %edi
bitmap:
    andl $~1, %edi
    xorl %esi, %esi
selected:
    bsfl %edi, %ecx
    jz 1f
    btrl %ecx, %edi
    call look_at
    jmp selected
1:  bsfl %esi, %ecx
    jz walked
    btrl %ecx, %esi
    addl $32, %ecx
    call look_at
    jmp 1b

# Components 0 and 1, x87 and SSE, are what subleaves 0 and 1 stand for.
xsave:
    movl V_EAX(%ebp), %edi
    movl V_EDX(%ebp), %esi
    movl $1, %ecx
    call look_at
    orl V_ECX(%ebp), %edi
    orl V_EDX(%ebp), %esi
    andl $~3, %edi
    jmp selected

walked:
    popl %edi
    popl %esi
    ret

# The subleaf after V_LAST; carry is set, and nothing looked at, when there were enough.
look_at_next:
    movl V_LAST(%ebp), %ecx
    incl %ecx
    cmpl $MAX_SUBLEAVES, %ecx
    jb look_at
    stc
    ret
# Subleaf ECX of leaf EBX.
look_at:
    movl %ecx, V_LAST(%ebp)
    movl %ebx, %eax
    call look
    clc
    ret

    .text
    .code64
