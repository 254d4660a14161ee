/* own_mesh.c - see own_mesh.h. */
#include "own_mesh.h"

#include "backlog.h"
#include "mesh.h"

int own_mesh_open(struct own_mesh *mesh, uint32_t slots, struct logging *logging)
{
    tmesh_error_t error;
    *mesh = (struct own_mesh){.producer = NULL};
    tmesh_ventilator_options_t embed = {
        .log = logging_write, .log_context = logging, .log_level = logging->least};
    tmesh_producer_options_t options = {
        .embed = &embed, .log = logging_write, .log_context = logging, .log_level = logging->least};
    logging_hold(logging);
    mesh->producer = tmesh_producer_new(&options, &error);
    if (!mesh->producer) return mesh_fault(&error);

    /* Its programs are the user's, as those of xargs are: they see what the user sees. */
    static const char *const everything[] = {"*", NULL};
    tmesh_worker_options_t worker = {.beside = mesh->producer,
                                     .label = "map",
                                     .slots = slots,
                                     .allow_exec = true,
                                     .command_environment = everything,
                                     .log = logging_write,
                                     .log_context = logging,
                                     .log_level = logging->least};
    mesh->worker = tmesh_worker_new(&worker, &error);
    backlog_start();
    return mesh->worker ? 0 : mesh_fault(&error);
}

void own_mesh_close(struct own_mesh *mesh)
{
    tmesh_worker_destroy(&mesh->worker);
    tmesh_producer_destroy(&mesh->producer);
}
