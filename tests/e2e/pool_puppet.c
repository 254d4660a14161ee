/* pool_puppet.c - a slot and a child that this test plays itself, with its nursery: so that
 * things happen at the moment when they hurt.
 */
#include "pool/child.h"
#include "pool/nurse.h"
#include "pool_stage.h"

#include "core/instant.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The other ends of what a slot has. */
static struct puppet {
    struct stage *stage;
    struct nursery nursery;
    struct area area;
    uint32_t child;
    int line, slots_line, talk, output;
    atomic_bool all_is_said;
} puppet;

static int never_called(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    return TMESH_PERMANENT;
}

static void be_born(void)
{
    struct nurse_call call;
    int talk[2], output[2];
    assert_int_equal(recv(puppet.line, &call, sizeof call, 0), sizeof call);
    assert_int_equal(call.order, NURSE_BEAR);
    puppet.child++; /* the one after it may be ordered, too */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC | O_NONBLOCK), 0);
    puppet.talk = talk[1];
    puppet.output = output[1];
    const int fds[2] = {talk[0], output[0]};
    struct nurse_news news = {.event = NURSE_BORN, .child = puppet.child};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof fds)];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = &news, .iov_len = sizeof news};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    control.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
    assert_int_equal(sendmsg(puppet.line, &message, MSG_NOSIGNAL), sizeof news);
    (void)close(talk[0]);
    (void)close(output[0]);
}

/* One slot, one child, and a round that it was told of: of one job, or the half of them. */
static void begin(uint32_t jobs)
{
    int ends[2];
    const char *const names[] = {"a", "a", "a", "a", "a", "a"};
    const tmesh_handler_t handler = {.name = "a", .handler = never_called};
    puppet = (struct puppet){.stage = stage_new()};
    assert_int_equal(registry_add_function(puppet.stage->registry, &handler, NULL), TMESH_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    puppet.line = ends[1];
    puppet.slots_line = ends[0];
    puppet.nursery = (struct nursery){.slots = 1, .watch = -1, .lines = &puppet.slots_line};
    assert_true(areas_map(&puppet.nursery.areas, 1, 1));
    puppet.area = areas_at(&puppet.nursery.areas, 0);
    puppet.stage->nursery = &puppet.nursery;
    stage_start(puppet.stage, 1);
    be_born();
    (void)stage_submit_many(puppet.stage, names, jobs);
    uint32_t round;
    assert_int_equal(recv(puppet.talk, &round, sizeof round, 0), sizeof round);
    /* As a child does.  Between two processes the packet orders it all; a sanitizer that sees
     * two threads of one wants to be told. */
    assert_int_equal(atomic_load_explicit(&puppet.area.board->over, memory_order_acquire), 0);
    assert_int_equal(puppet.area.inbox->count, jobs > 1 ? jobs / 2 : 1);
}

static void claim(uint32_t task)
{
    struct area_board *board = puppet.area.board;
    atomic_store(&board->began_ns, clock_now_ns());
    atomic_store(&board->current, task);
    uint32_t queued = AREA_QUEUED;
    (void)atomic_compare_exchange_strong(&board->states[task], &queued, AREA_RUNNING);
}

static void end(void)
{
    if (puppet.line >= 0) (void)close(puppet.line);
    (void)close(puppet.talk);
    (void)close(puppet.output);
    puppet.stage->nursery = NULL;
    stage_destroy(&puppet.stage);
    (void)close(puppet.slots_line);
    areas_unmap(&puppet.nursery.areas);
}

static void lose_nursery(void)
{
    (void)close(puppet.line);
    puppet.line = -1;
}

/* The nursery ends a moment before its children do. */
static void what_a_child_began_when_its_nursery_had_gone_is_not_given_back(void **state)
{
    (void)state;
    begin(6);
    claim(0);
    claim(1);
    lose_nursery();
    stage_await_all(puppet.stage);
    const struct outing *outings = puppet.stage->outings;
    assert_int_equal(outings[0].outcome, OUTCOME_FAILED);
    assert_int_equal(outings[1].outcome, OUTCOME_FAILED);
    assert_string_equal(outings[1].text,
                        "the process that this worker's children come from has ended");
    assert_int_equal(outings[2].outcome, OUTCOME_RETURNED);
    uint32_t queued = AREA_QUEUED;
    assert_false(
        atomic_compare_exchange_strong(&puppet.area.board->states[2], &queued, AREA_RUNNING));
    end();
}

static void say(const void *packet, size_t size)
{
    assert_int_equal(send(puppet.talk, packet, size, MSG_NOSIGNAL), size);
}

/* Writes, at the worst moment, that the run has just begun. */
static void begin_again(struct stage *stage)
{
    (void)stage;
    const uint64_t deadline_ns = clock_now_ns() + 10 * SECOND;
    while (!atomic_load(&puppet.all_is_said) && clock_now_ns() < deadline_ns) (void)sched_yield();
    atomic_store(&puppet.area.board->began_ns, clock_now_ns());
}

static void no_run_is_said_to_have_lasted_longer_than_its_round(void **state)
{
    (void)state;
    static const uint8_t line[CHILD_LOG_HEAD_BYTES + 1] = {CHILD_LOG, 1, 0, 0, 0, 0, 'x'};
    begin(1);
    puppet.stage->on_line = begin_again;
    claim(0);
    for (int i = 0; i < 100; i++) say(line, sizeof line);
    const struct nurse_news news = {.event = NURSE_DIED, .child = puppet.child, .value = 11};
    assert_int_equal(send(puppet.line, &news, sizeof news, MSG_NOSIGNAL), sizeof news);
    atomic_store(&puppet.all_is_said, true);
    const struct outing *outing = stage_await(puppet.stage, 0);
    assert_int_equal(outing->outcome, OUTCOME_CRASHED);
    assert_true(outing->run_ns < 60 * SECOND);
    end();
}

static void results_of_jobs_that_there_are_not_are_not_believed(void **state)
{
    (void)state;
    begin(1);
    claim(0);
    puppet.area.board->results[0] = (struct area_result){.task = 0, .outcome = OUTCOME_DONE};
    atomic_store(&puppet.area.board->finished, AREA_TASKS_MAX + 1);
    static const uint8_t look = CHILD_LOOK;
    say(&look, sizeof look);
    struct nurse_call call;
    assert_int_equal(recv(puppet.line, &call, sizeof call, 0), sizeof call);
    assert_int_equal(call.order, NURSE_KILL);
    assert_int_equal(call.child, puppet.child);
    const struct nurse_news news = {.event = NURSE_DIED, .child = puppet.child, .value = 9};
    assert_int_equal(send(puppet.line, &news, sizeof news, MSG_NOSIGNAL), sizeof news);
    assert_int_equal(stage_await(puppet.stage, 0)->outcome, OUTCOME_CRASHED);
    end();
}

static bool is_logged(void *context)
{
    return stage_lines(puppet.stage) >= *(const uint32_t *)context;
}

/* The slot's thread stands still for longer than a child may. */
static void stand_still(struct stage *stage)
{
    const uint64_t end_ns = clock_now_ns() + 6 * SECOND;
    while (stage_lines(stage) == 0 && clock_now_ns() < end_ns) (void)usleep(10000);
}

/* As when a machine stopped for a while, and the worker goes on first. */
static void a_child_is_not_blamed_while_its_worker_stood_still(void **state)
{
    (void)state;
    static const uint8_t line[CHILD_LOG_HEAD_BYTES + 1] = {CHILD_LOG, 1, 0, 0, 0, 0, 'x'};
    begin(1);
    puppet.stage->on_line = stand_still;
    for (uint32_t lines = 1; lines <= 2; lines++) {
        say(line, sizeof line);
        stage_until(is_logged, &lines);
    }
    claim(0);
    struct area_board *board = puppet.area.board;
    board->results[0] = (struct area_result){.task = 0, .outcome = OUTCOME_DONE};
    atomic_store(&board->states[0], AREA_ENDED);
    atomic_store(&board->finished, 1);
    atomic_store(&board->over, puppet.area.inbox->round);
    static const uint8_t look = CHILD_LOOK;
    say(&look, sizeof look);
    assert_int_equal(stage_await(puppet.stage, 0)->outcome, OUTCOME_DONE);
    struct nurse_call call;
    assert_int_equal(recv(puppet.line, &call, sizeof call, MSG_DONTWAIT), -1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_child_began_when_its_nursery_had_gone_is_not_given_back),
        cmocka_unit_test(no_run_is_said_to_have_lasted_longer_than_its_round),
        cmocka_unit_test(results_of_jobs_that_there_are_not_are_not_believed),
        cmocka_unit_test(a_child_is_not_blamed_while_its_worker_stood_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
