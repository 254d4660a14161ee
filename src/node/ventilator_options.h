/* ventilator_options.h - the public options of a ventilator, checked. */
#ifndef NODE_VENTILATOR_OPTIONS_H
#define NODE_VENTILATOR_OPTIONS_H

#include "../core/ventilator.h"

#include <tmesh/ventilator.h>

/* Checks `options` and fills in the core's, with defaults, a node id and a seed.
 * `bind_required`: whether it must name a front. */
enum tmesh_err ventilator_options_read(const tmesh_ventilator_options_t *options, int bind_required,
                                       struct ventilator_options *core, tmesh_error_t *error);

#endif
