/* ventilator_node.h - starting a ventilator from inside the library. */
#ifndef NODE_VENTILATOR_NODE_H
#define NODE_VENTILATOR_NODE_H

#include <tmesh/ventilator.h>

/* As tmesh_ventilator_new, for a producer of the same process: `context` is the
 * ZeroMQ context both share, in which the ventilator also serves
 * inproc://front; `bind` may be NULL then. */
tmesh_ventilator_t *ventilator_node_new(const tmesh_ventilator_options_t *options, void *context,
                                        tmesh_error_t *error);

#endif
