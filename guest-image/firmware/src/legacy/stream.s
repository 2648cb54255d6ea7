# Frames, as in stream.rs. All routines keep EBX, ESI and EDI.

    .section .rom.legacy, "ax"
    .code32

# Room for an entry of ECX bytes in a frame of kind EAX: EAX = its address, 0 once the slot is full.
reserve:
    cmpl V_KIND(%ebp), %eax
    jne 1f
    movl V_OPEN(%ebp), %edx
    addl %ecx, %edx
    cmpl $MAX_PAYLOAD, %edx
    jbe 2f
1:  pushl %ecx
    pushl %eax
    call flush
    popl V_KIND(%ebp)
    popl %ecx
2:  cmpl $0, V_OVERFLOW(%ebp)
    jne slot_is_full
    movl V_SLOT(%ebp), %eax
    addl V_USED(%ebp), %eax
    addl V_OPEN(%ebp), %eax
    addl $SLOT_HEADER + FRAME_HEADER, %eax
    leal (%eax, %ecx), %edx
    cmpl V_LIMIT(%ebp), %edx
    ja slot_is_full
    addl %ecx, V_OPEN(%ebp)
    ret
slot_is_full:
    movl $1, V_OVERFLOW(%ebp)
    xorl %eax, %eax
    ret

# A frame of kind EAX without payload.
mark:
    pushl %eax
    call flush
    popl V_KIND(%ebp)
    cmpl $0, V_OVERFLOW(%ebp)
    jne slot_is_full
    movl V_SLOT(%ebp), %eax
    addl V_USED(%ebp), %eax
    addl $SLOT_HEADER + FRAME_HEADER, %eax
    cmpl V_LIMIT(%ebp), %eax
    ja slot_is_full
    jmp seal

# The end mark, for which room was kept; EAX = vCPUs that reported.
end_stream:
    pushl %eax
    call flush
    movl $KIND_END, V_KIND(%ebp)
    call payload
    movl V_SEQUENCE(%ebp), %ecx
    incl %ecx
    movl %ecx, (%eax)
    popl 4(%eax)
    movl V_OVERFLOW(%ebp), %ecx     # end::OVERFLOW is 1
    movl %ecx, 8(%eax)
    movl $12, V_OPEN(%ebp)
    call seal
    movl V_SLOT(%ebp), %edx
    movl $SLOT_DONE, SLOT_STATE(%edx)
    ret

# EAX = where the open frame's payload begins.
payload:
    movl V_SLOT(%ebp), %eax
    addl V_USED(%ebp), %eax
    addl $SLOT_HEADER + FRAME_HEADER, %eax
    ret

# Finishes the open frame, if there is one.
flush:
    cmpl $0, V_OPEN(%ebp)
    jne seal
    ret

# Finishes the open frame, be it empty, and tells the host: the bytes first, then their count.
seal:
    pushl %ebx
    pushl %esi
    pushl %edi
    call payload
    movl %eax, %esi
    leal -FRAME_HEADER(%eax), %edi
    movl V_OPEN(%ebp), %ebx
    movl $FRAME_MAGIC, (%edi)
    movb $PROTOCOL_VERSION, 4(%edi)
    movb V_KIND(%ebp), %al
    movb %al, 5(%edi)
    movb V_PHASE(%ebp), %al
    movb %al, 6(%edi)
    movb V_GENERATION(%ebp), %al
    movb %al, 7(%edi)
    movl V_VCPU(%ebp), %eax
    movl %eax, 8(%edi)
    movw %bx, 12(%edi)
    movw V_SEQUENCE(%ebp), %ax
    movw %ax, 14(%edi)

    pushl %esi
    movl $-1, %eax
    movl %edi, %esi
    movl $16, %ecx
    call crc
    popl %esi
    movl %ebx, %ecx
    call crc
    notl %eax
    movl %eax, 16(%edi)

    incl V_SEQUENCE(%ebp)
    movl $0, V_OPEN(%ebp)
    addl V_USED(%ebp), %ebx
    addl $FRAME_HEADER, %ebx
    movl %ebx, V_USED(%ebp)
    movl V_SLOT(%ebp), %edx
    movl %ebx, SLOT_USED(%edx)
    popl %edi
    popl %esi
    popl %ebx
    ret

# EAX = CRC-32 of it and the ECX bytes at ESI, without the inversions; ECX is a multiple of 4. See fidelity_protocol::crc.
crc:
    shrl $2, %ecx
    jz 2f
    pushl %ebx
1:  xorl (%esi), %eax
    movzbl %al, %edx
    movl CRC_TABLES + 3 * 1024(, %edx, 4), %ebx
    movzbl %ah, %edx
    xorl CRC_TABLES + 2 * 1024(, %edx, 4), %ebx
    shrl $16, %eax
    movzbl %al, %edx
    xorl CRC_TABLES + 1024(, %edx, 4), %ebx
    movzbl %ah, %edx
    xorl CRC_TABLES(, %edx, 4), %ebx
    movl %ebx, %eax
    addl $4, %esi
    decl %ecx
    jnz 1b
    popl %ebx
2:  ret

    .text
    .code64
