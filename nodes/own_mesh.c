/* own_mesh.c - see own_mesh.h. */
#include "own_mesh.h"

#include "backlog.h"
#include "mesh.h"
#include "notice.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* The path of a socket file is short by law (sun_path), so a long TMPDIR does
 * not do. */
enum { TEMPORARY_BYTES_MAX = 40 };

static int make_directory(struct own_mesh *mesh)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || parent[0] != '/' || strlen(parent) > TEMPORARY_BYTES_MAX) parent = "/tmp";
    snprintf(mesh->directory, sizeof mesh->directory, "%s/tmesh-XXXXXX", parent);
    if (mkdtemp(mesh->directory)) return 0;
    notice_print("cannot make a directory in %s: %s", parent, strerror(errno));
    mesh->directory[0] = 0;
    return EX_OSERR;
}

/* Removes the directory with the socket files that are left in it. */
static void remove_directory(struct own_mesh *mesh)
{
    if (!mesh->directory[0]) return;
    DIR *directory = opendir(mesh->directory);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        unlinkat(dirfd(directory), entry->d_name, 0);
    }
    if (directory) closedir(directory);
    rmdir(mesh->directory);
    mesh->directory[0] = 0;
}

int own_mesh_open(struct own_mesh *mesh, uint32_t slots, struct logging *logging)
{
    char bind[128];
    tmesh_error_t error;
    *mesh = (struct own_mesh){.producer = NULL};
    int status = make_directory(mesh);
    if (status) return status;
    snprintf(bind, sizeof bind, "ipc://%s/front", mesh->directory);
    tmesh_ventilator_options_t embed = {.bind = bind, .log = logging_write, .log_context = logging};
    tmesh_producer_options_t options = {
        .embed = &embed, .log = logging_write, .log_context = logging};
    logging_hold(logging);
    mesh->producer = tmesh_producer_new(&options, &error);
    if (!mesh->producer) return mesh_fault(&error);

    /* Its programs are the user's, as those of xargs are: they see what the user sees. */
    static const char *const everything[] = {"*", NULL};
    tmesh_worker_options_t worker = {.connect = tmesh_producer_endpoint(mesh->producer),
                                     .label = "map",
                                     .slots = slots,
                                     .allow_exec = true,
                                     .command_environment = everything,
                                     .log = logging_write,
                                     .log_context = logging};
    mesh->worker = tmesh_worker_new(&worker, &error);
    backlog_start();
    return mesh->worker ? 0 : mesh_fault(&error);
}

void own_mesh_close(struct own_mesh *mesh)
{
    tmesh_worker_destroy(&mesh->worker);
    tmesh_producer_destroy(&mesh->producer);
    remove_directory(mesh);
}
