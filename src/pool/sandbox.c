/* sandbox.c - the system calls that a command has no business with. */
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
enum { IS_KNOWN = 1 };
static const uint32_t ARCHITECTURE = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
enum { IS_KNOWN = 1 };
static const uint32_t ARCHITECTURE = AUDIT_ARCH_AARCH64;
#else
enum { IS_KNOWN = 0 };
static const uint32_t ARCHITECTURE = 0;
#endif

static const uint32_t REFUSED[] = {
    /* other processes */
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    /* mounts and namespaces */
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_unshare,
    SYS_setns,
    /* keys */
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    /* the kernel */
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
};

enum {
    REFUSED_COUNT = sizeof REFUSED / sizeof REFUSED[0],
    FOREIGN_CALLS = 0x40000000, /* of x86-64 with short pointers, which has all calls again */
    FRAME_MAX = 20,             /* instructions around the list */
    NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                 CLONE_NEWPID | CLONE_NEWNET
};

struct program {
    struct sock_filter lines[2 * REFUSED_COUNT + FRAME_MAX];
    unsigned short count;
};

static void put(struct program *program, int code, uint32_t operand)
{
    program->lines[program->count++] = (struct sock_filter){.code = (uint16_t)code, .k = operand};
}

/* Answers with `error` if the comparison `how` of what was loaded with `operand` holds. */
static void refuse_if(struct program *program, int how, uint32_t operand, uint32_t error)
{
    program->lines[program->count++] = (struct sock_filter){
        .code = (uint16_t)(BPF_JMP | how | BPF_K), .jt = 0, .jf = 1, .k = operand};
    put(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
}

static void load(struct program *program, size_t offset)
{
    put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static void write_program(struct program *program)
{
    program->count = 0;
    load(program, offsetof(struct seccomp_data, arch));
    program->lines[program->count++] = (struct sock_filter){
        .code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1, .jf = 0, .k = ARCHITECTURE};
    put(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    load(program, offsetof(struct seccomp_data, nr));
    refuse_if(program, BPF_JGE, FOREIGN_CALLS, ENOSYS);
    for (uint32_t i = 0; i < REFUSED_COUNT; i++) refuse_if(program, BPF_JEQ, REFUSED[i], EPERM);
    /* Its flags are in memory, where nobody can look; without it the C library takes
     * clone, whose flags are its first argument. */
    refuse_if(program, BPF_JEQ, SYS_clone3, ENOSYS);
    program->lines[program->count++] =
        (struct sock_filter){.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 3, .k = SYS_clone};
    load(program, offsetof(struct seccomp_data, args)); /* the lower half: little-endian */
    refuse_if(program, BPF_JSET, NAMESPACES, EPERM);
    put(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

bool sandbox_is_available(void)
{
    return IS_KNOWN && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

int sandbox_enter(void)
{
    if (!IS_KNOWN) return ENOSYS;
    struct program program;
    write_program(&program);
    const struct sock_fprog filter = {.len = program.count, .filter = program.lines};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0 ? errno : 0;
}
