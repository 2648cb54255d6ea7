# A vCPU's variables, addressed from EBP. They lie at the top of the slot, above the stack.

    .set V_SLOT, 0                  # address of the slot
    .set V_INDEX, 4                 # its index; 0 on the boot processor
    .set V_SIGNATURE, 8             # EDX after reset or INIT
    .set V_GENERATION, 12
    .set V_VCPU, 16                 # APIC ID
    .set V_USED, 20                 # bytes of finished frames
    .set V_OPEN, 24                 # bytes of payload in the open frame
    .set V_KIND, 28                 # what the open frame carries
    .set V_PHASE, 32
    .set V_SEQUENCE, 36
    .set V_OVERFLOW, 40             # 1 once a frame was dropped
    .set V_LIMIT, 44                # address where the room for frames ends
    .set V_REPORT, 48               # 1 if `look` reports what it sees
    .set V_EAX, 52                  # what CPUID answered last
    .set V_EBX, 56
    .set V_ECX, 60
    .set V_EDX, 64
    .set V_LAST, 68                 # the last subleaf that `walk_leaf` looked at
    .set V_REPORTED, 72             # on the boot processor: vCPUs that reported
    .set V_RUN, 76                  # a run of a sweep: first, last, status, low, high
    .set V_SIZE, 96
