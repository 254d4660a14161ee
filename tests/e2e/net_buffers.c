/* net_buffers.c - large messages from buffers that come back to be used again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/message.h"
#include "../../src/net/buffers.h"

#include <stdlib.h>
#include <string.h>

static struct bytes filled(uint8_t *data, size_t size, uint8_t with)
{
    memset(data, with, size);
    return bytes_of(data, size);
}

static uint8_t *fresh(void)
{
    uint8_t *data = malloc(MESSAGE_BYTES_MAX);
    assert_non_null(data);
    return data;
}

static void a_buffer_is_here_again_once_its_message_is_closed(void **state)
{
    (void)state;
    struct buffers *buffers = buffers_new();
    zmq_msg_t message;
    uint8_t *data = fresh();
    assert_null(buffers_take(buffers));
    assert_true(buffers_wrap(buffers, filled(data, 100000, 7), &message));
    assert_int_equal(zmq_msg_size(&message), 100000);
    assert_ptr_equal(zmq_msg_data(&message), data);
    assert_null(buffers_take(buffers));
    zmq_msg_close(&message);
    assert_ptr_equal(buffers_take(buffers), data);
    assert_null(buffers_take(buffers));
    free(data);
    buffers_destroy(&buffers);
    assert_null(buffers);
}

/* What is neither kept nor freed is the leak checker's to find. */
static void only_a_few_are_kept(void **state)
{
    (void)state;
    enum { MANY = 40 };
    struct buffers *buffers = buffers_new();
    zmq_msg_t messages[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(buffers_wrap(buffers, filled(fresh(), 10, 1), &messages[i]));
    for (uint32_t i = 0; i < MANY; i++) zmq_msg_close(&messages[i]);
    uint32_t kept = 0;
    for (uint8_t *data; (data = buffers_take(buffers)) != NULL; kept++) free(data);
    assert_in_range(kept, 1, MANY / 2);
    buffers_destroy(&buffers);
}

static void messages_outlive_the_buffers(void **state)
{
    (void)state;
    struct buffers *buffers = buffers_new();
    zmq_msg_t first, second;
    assert_true(buffers_wrap(buffers, filled(fresh(), 10, 1), &first));
    assert_true(buffers_wrap(buffers, filled(fresh(), 10, 2), &second));
    buffers_destroy(&buffers);
    assert_int_equal(((uint8_t *)zmq_msg_data(&second))[9], 2);
    zmq_msg_close(&first);
    zmq_msg_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_here_again_once_its_message_is_closed),
        cmocka_unit_test(only_a_few_are_kept),
        cmocka_unit_test(messages_outlive_the_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
