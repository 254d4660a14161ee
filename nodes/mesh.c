/* mesh.c - see mesh.h. */
#include "mesh.h"

#include "clock.h"
#include "notice.h"

#include <string.h>
#include <sysexits.h>

/* A signal is noticed between two of these. */
enum { MESH_SLICE_MS = 100 };

static int exit_status(enum tmesh_err code)
{
    switch (code) {
    case TMESH_OK: return EX_OK;
    case TMESH_E_INVALID:
    case TMESH_E_ENDPOINT:
    case TMESH_E_MODULE: return EX_USAGE;
    case TMESH_E_TOO_BIG:
    case TMESH_E_DAMAGED: return EX_DATAERR;
    case TMESH_E_JOURNAL: return EX_IOERR;
    case TMESH_E_LOCKED:
    case TMESH_E_FULL:
    case TMESH_E_TIMEOUT: return EX_TEMPFAIL;
    case TMESH_E_UNREACHABLE:
    case TMESH_E_REFUSED: return EX_UNAVAILABLE;
    case TMESH_E_BIND:
    case TMESH_E_SYSTEM: return EX_OSERR;
    case TMESH_E_CLOSED:
    case TMESH_E_NOT_FOUND: return EX_SOFTWARE;
    }
    return EX_SOFTWARE;
}

int mesh_fault(const tmesh_error_t *error)
{
    const char *text = error->text[0] ? error->text : tmesh_error_text(error->code);
    notice_print("%s", text);
    return exit_status(error->code);
}

int mesh_connect(tmesh_producer_t *producer, const char *connect, uint64_t timeout_ms,
                 struct stopping *stopping)
{
    tmesh_error_t error = {TMESH_OK, ""};
    uint64_t end_ms = clock_ms() + timeout_ms;
    for (;;) {
        uint64_t now_ms = clock_ms();
        uint64_t left_ms = now_ms < end_ms ? end_ms - now_ms : 0;
        uint32_t slice_ms = (uint32_t)(left_ms < MESH_SLICE_MS ? left_ms : MESH_SLICE_MS);
        enum tmesh_err code = tmesh_producer_connected(producer, slice_ms, &error);
        if (code == TMESH_OK) return 0;
        if (code != TMESH_E_UNREACHABLE) return mesh_fault(&error);
        stopping_read(stopping);
        if (stopping->count > 0) return stopping_exit(stopping);
        if (left_ms <= slice_ms) break;
    }
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    if (counts.hosts_unknown > 0) return mesh_fault(&error);
    notice_print("no ventilator answers at %s", connect);
    notice_plain("Start one: tmesh ventilator --bind %.*s", (int)strcspn(connect, ","), connect);
    return EX_UNAVAILABLE;
}
