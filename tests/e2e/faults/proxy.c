/* proxy.c - stands between a ventilator and its peers, and mistreats what they say.
 *
 * A ROUTER to the peers; for each of them a DEALER to the ventilator, so that
 * sessions stay what they are.  The intakes are taken out of WELCOME: everything
 * passes here.  What happens to a message is chance, seeded, by rules such as
 * lose=ACCEPT:300 (in a thousand):
 *
 *   lose    it vanishes; the number of the next one shows it
 *   hide    it vanishes, and the next ones are renumbered: only silence shows it
 *   repeat  it comes twice
 *   hold    it comes up to 200 ms later, as does all behind it
 *   swap    the next one overtakes it
 *
 * Owns: the fate of each message, and the count of items that the ventilator said
 * it accepted, however often.  Not here: what must come of it (fault_lost_answers.sh).
 *
 * Usage: proxy BIND CONNECT SEED RULE...; SIGTERM ends it, and it prints its counts.
 */
#include "core/message.h"
#include "wire/codec.h"
#include "wire/header.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum {
    PEERS_MAX = 16,
    LANE_MAX = 4096, /* messages waiting in one direction; a power of two */
    BATCHES_MAX = 1024,
    HOLD_US_MAX = 200000,
    SWAP_US_MAX = 50000, /* so long a message waits for one to overtake it */
    IDENTITY_BYTES_MAX = 255,
    SEQUENCE_AT = 12,
    KINDS = 256,
    REST_MS = 20
};

enum direction { TO_VENTILATOR, TO_PEER, DIRECTIONS };
enum fate { FATE_LOSE, FATE_HIDE, FATE_REPEAT, FATE_HOLD, FATE_SWAP, FATES, FATE_NONE = FATES };

static const char *const fate_names[FATES] = {"lose", "hide", "repeat", "hold", "swap"};

static const struct {
    const char *name;
    enum message_kind kind;
} kinds[] = {
    {"WELCOME", MESSAGE_WELCOME},   {"HEARTBEAT", MESSAGE_HEARTBEAT},
    {"SUBMIT", MESSAGE_SUBMIT},     {"ACCEPT", MESSAGE_ACCEPT},
    {"RESULT", MESSAGE_RESULT},     {"RECEIPT", MESSAGE_RECEIPT},
    {"CREDIT", MESSAGE_CREDIT},     {"WORK", MESSAGE_WORK},
    {"COMPLETE", MESSAGE_COMPLETE}, {"DISPOSE", MESSAGE_DISPOSE},
    {"DISPOSED", MESSAGE_DISPOSED}, {"DRAIN", MESSAGE_DRAIN},
    {"DRAINING", MESSAGE_DRAINING}, {"PROGRESS", MESSAGE_PROGRESS},
    {"REVOKE", MESSAGE_REVOKE},     {"RECALL", MESSAGE_RECALL},
};

struct waiting {
    zmq_msg_t message;
    int64_t due_us;
};

struct lane {
    struct waiting waiting[LANE_MAX];
    uint32_t first, end;
    uint32_t hidden; /* in this session: so much lower are the numbers behind */
};

struct peer {
    uint8_t identity[IDENTITY_BYTES_MAX];
    size_t identity_bytes;
    void *dealer;     /* NULL: the place is free */
    int64_t heard_us; /* when the peer last said anything */
    bool gone;        /* it closed its socket; what the ventilator told it still counts */
    struct lane lanes[DIRECTIONS];
    uint64_t batches[BATCHES_MAX]; /* number of each batch, and ... */
    uint32_t items[BATCHES_MAX];   /* ... how many tasks it has */
};

struct proxy {
    void *context, *router;
    const char *connect;
    struct decoder *decoder;
    struct encoder *encoder;
    uint64_t random;
    uint32_t rules[FATES][KINDS]; /* in a thousand */
    uint32_t due[FATES][KINDS];   /* it strikes when this has grown to a thousand */
    struct peer *peers;           /* PEERS_MAX of them */
    uint64_t counts[FATES];
    uint64_t messages, accepted_items;
};

static volatile sig_atomic_t over;

static void end(int number)
{
    (void)number;
    over = 1;
}

static void check(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "proxy: %s: %s\n", what, zmq_strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* xorshift64 */
static uint32_t chance(struct proxy *proxy, uint32_t below)
{
    proxy->random ^= proxy->random << 13;
    proxy->random ^= proxy->random >> 7;
    proxy->random ^= proxy->random << 17;
    return (uint32_t)((proxy->random >> 16) % below);
}

static struct bytes content(zmq_msg_t *message)
{
    return (struct bytes){zmq_msg_data(message), (uint32_t)zmq_msg_size(message)};
}

/* A message with the same bytes, and its number lowered by `hidden`. */
static void copy_message(zmq_msg_t *to, struct bytes bytes, uint32_t hidden)
{
    struct header header;
    check(zmq_msg_init_size(to, bytes.size) == 0, "zmq_msg_init_size");
    memcpy(zmq_msg_data(to), bytes.data, bytes.size);
    if (hidden == 0 || header_read(bytes, &header) != WIRE_OK) return;
    uint8_t *at = (uint8_t *)zmq_msg_data(to) + SEQUENCE_AT;
    uint32_t sequence = header.sequence - hidden;
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(sequence >> (24 - 8 * i));
}

static void lane_add(struct lane *lane, struct bytes bytes, int64_t due_us)
{
    check(lane->end - lane->first < LANE_MAX, "too many messages wait");
    struct waiting *waiting = &lane->waiting[lane->end++ % LANE_MAX];
    copy_message(&waiting->message, bytes, lane->hidden);
    waiting->due_us = due_us;
}

/* The last one changes places with the one in front of it, if that waits to be
 * overtaken. */
static void lane_overtake(struct lane *lane)
{
    if (lane->end - lane->first < 2) return;
    struct waiting *last = &lane->waiting[(lane->end - 1) % LANE_MAX];
    struct waiting *before = &lane->waiting[(lane->end - 2) % LANE_MAX];
    if (before->due_us >= 0) return;
    struct waiting kept = *before;
    *before = *last;
    *last = kept;
    last->due_us = 0;
}

static void lane_clear(struct lane *lane)
{
    while (lane->first != lane->end)
        zmq_msg_close(&lane->waiting[lane->first++ % LANE_MAX].message);
    lane->hidden = 0;
}

static void peer_close(struct peer *peer)
{
    for (int i = 0; i < DIRECTIONS; i++) lane_clear(&peer->lanes[i]);
    zmq_close(peer->dealer);
    peer->dealer = NULL;
}

static bool is_named(const struct peer *peer, zmq_msg_t *identity)
{
    return peer->dealer && peer->identity_bytes == zmq_msg_size(identity) &&
           memcmp(peer->identity, zmq_msg_data(identity), peer->identity_bytes) == 0;
}

/* The one that has been silent for longest makes way. */
static struct peer *peer_of(struct proxy *proxy, zmq_msg_t *identity)
{
    struct peer *vacant = &proxy->peers[0];
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &proxy->peers[i];
        if (is_named(peer, identity)) return peer;
        if (!vacant->dealer) continue;
        if (!peer->dealer || peer->heard_us < vacant->heard_us) vacant = peer;
    }
    int none = 0;
    if (vacant->dealer) peer_close(vacant);
    memset(vacant, 0, sizeof *vacant);
    vacant->identity_bytes = zmq_msg_size(identity);
    memcpy(vacant->identity, zmq_msg_data(identity), vacant->identity_bytes);
    vacant->dealer = zmq_socket(proxy->context, ZMQ_DEALER);
    zmq_setsockopt(vacant->dealer, ZMQ_LINGER, &none, sizeof none);
    check(zmq_connect(vacant->dealer, proxy->connect) == 0, proxy->connect);
    return vacant;
}

/* What both sides tell each other about batches. */
static void account(struct proxy *proxy, struct peer *peer, const struct message *message)
{
    if (message->kind == MESSAGE_SUBMIT) {
        uint64_t batch = message->u.submit.batch;
        peer->batches[batch % BATCHES_MAX] = batch;
        peer->items[batch % BATCHES_MAX] = message->u.submit.count;
    } else if (message->kind == MESSAGE_ACCEPT) {
        uint64_t batch = message->u.accept.batch;
        check(peer->batches[batch % BATCHES_MAX] == batch, "an answer to no batch");
        proxy->accepted_items += peer->items[batch % BATCHES_MAX] - message->u.accept.count;
    }
}

/* At random, but as often as the rule says, also over few messages. */
static enum fate fate_of(struct proxy *proxy, enum message_kind kind)
{
    for (int fate = 0; fate < FATES; fate++) {
        uint32_t rule = proxy->rules[fate][kind], *due = &proxy->due[fate][kind];
        if (rule == 0) continue;
        *due += chance(proxy, 2 * rule + 1);
        if (*due < 1000) continue;
        *due -= 1000;
        return (enum fate)fate;
    }
    return FATE_NONE;
}

static void pass(struct proxy *proxy, struct peer *peer, enum direction direction,
                 struct bytes bytes)
{
    struct message message;
    struct lane *lane = &peer->lanes[direction];
    check(wire_decode(proxy->decoder, bytes, &message) == WIRE_OK, "a message of another protocol");
    account(proxy, peer, &message);
    if (message.kind == MESSAGE_WELCOME) {
        message.u.welcome.intake_count = 0;
        check(wire_encode(proxy->encoder, &message, &bytes) == WIRE_OK, "wire_encode");
        for (int i = 0; i < DIRECTIONS; i++) peer->lanes[i].hidden = 0;
    }
    enum fate fate = fate_of(proxy, message.kind);
    int64_t due_us = 0;
    proxy->messages++;
    if (fate != FATE_NONE) proxy->counts[fate]++;
    switch (fate) {
    case FATE_LOSE: return;
    case FATE_HIDE: lane->hidden++; return;
    case FATE_REPEAT: lane_add(lane, bytes, due_us); break;
    case FATE_HOLD: due_us = now_us() + chance(proxy, HOLD_US_MAX); break;
    case FATE_SWAP: due_us = -(now_us() + SWAP_US_MAX); break;
    case FATE_NONE: break;
    }
    lane_add(lane, bytes, due_us);
    lane_overtake(lane);
}

static void deliver(struct proxy *proxy, struct peer *peer, enum direction direction,
                    zmq_msg_t *message)
{
    void *socket = peer->dealer;
    if (direction == TO_PEER) {
        socket = proxy->router;
        int sent = zmq_send(socket, peer->identity, peer->identity_bytes, ZMQ_SNDMORE);
        peer->gone = sent < 0 && errno == EHOSTUNREACH;
        if (peer->gone) zmq_msg_close(message);
        if (peer->gone) return;
        check(sent >= 0, "zmq_send");
    }
    check(zmq_msg_send(message, socket, ZMQ_DONTWAIT) >= 0, "zmq_msg_send");
}

static void release(struct proxy *proxy, struct peer *peer, enum direction direction,
                    int64_t moment_us)
{
    struct lane *lane = &peer->lanes[direction];
    while (lane->first != lane->end) {
        struct waiting *waiting = &lane->waiting[lane->first % LANE_MAX];
        if (llabs(waiting->due_us) > moment_us) return;
        deliver(proxy, peer, direction, &waiting->message);
        lane->first++;
    }
}

static void read_router(struct proxy *proxy)
{
    zmq_msg_t identity, body;
    zmq_msg_init(&identity);
    zmq_msg_init(&body);
    while (zmq_msg_recv(&identity, proxy->router, ZMQ_DONTWAIT) >= 0) {
        check(zmq_msg_recv(&body, proxy->router, 0) >= 0, "zmq_msg_recv");
        struct peer *peer = peer_of(proxy, &identity);
        peer->heard_us = now_us();
        pass(proxy, peer, TO_VENTILATOR, content(&body));
    }
    zmq_msg_close(&identity);
    zmq_msg_close(&body);
}

static void read_dealer(struct proxy *proxy, struct peer *peer)
{
    zmq_msg_t body;
    zmq_msg_init(&body);
    while (zmq_msg_recv(&body, peer->dealer, ZMQ_DONTWAIT) >= 0) {
        pass(proxy, peer, TO_PEER, content(&body));
    }
    zmq_msg_close(&body);
}

static void run(struct proxy *proxy)
{
    while (!over) {
        zmq_pollitem_t items[PEERS_MAX + 1] = {{.socket = proxy->router, .events = ZMQ_POLLIN}};
        int count = 1;
        for (size_t i = 0; i < PEERS_MAX; i++) {
            if (!proxy->peers[i].dealer) continue;
            items[count++] =
                (zmq_pollitem_t){.socket = proxy->peers[i].dealer, .events = ZMQ_POLLIN};
        }
        zmq_poll(items, count, REST_MS);
        read_router(proxy);
        int64_t moment_us = now_us();
        for (size_t i = 0; i < PEERS_MAX; i++) {
            struct peer *peer = &proxy->peers[i];
            if (!peer->dealer) continue;
            read_dealer(proxy, peer);
            for (int way = 0; way < DIRECTIONS; way++) {
                release(proxy, peer, (enum direction)way, moment_us);
            }
        }
    }
}

/* FATE=KIND:PERMILLE */
static void add_rule(struct proxy *proxy, const char *text)
{
    for (size_t fate = 0; fate < FATES; fate++) {
        size_t bytes = strlen(fate_names[fate]);
        if (strncmp(text, fate_names[fate], bytes) != 0 || text[bytes] != '=') continue;
        const char *kind = text + bytes + 1, *colon = strchr(kind, ':');
        for (size_t i = 0; colon && i < sizeof kinds / sizeof *kinds; i++) {
            size_t kind_bytes = (size_t)(colon - kind);
            if (strlen(kinds[i].name) != kind_bytes) continue;
            if (strncmp(kind, kinds[i].name, kind_bytes) != 0) continue;
            proxy->rules[fate][kinds[i].kind] = (uint32_t)strtoul(colon + 1, NULL, 10);
            return;
        }
    }
    fprintf(stderr, "proxy: not a rule: %s\n", text);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    static struct proxy proxy;
    int mandatory = 1;
    if (argc < 4) return EXIT_FAILURE;
    proxy.connect = argv[2];
    proxy.random = strtoull(argv[3], NULL, 10) * 2654435761U + 1;
    for (int i = 4; i < argc; i++) add_rule(&proxy, argv[i]);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
    proxy.decoder = decoder_new();
    proxy.encoder = encoder_new();
    proxy.peers = calloc(PEERS_MAX, sizeof *proxy.peers);
    proxy.context = zmq_ctx_new();
    proxy.router = zmq_socket(proxy.context, ZMQ_ROUTER);
    check(proxy.decoder && proxy.encoder && proxy.peers && proxy.router, "out of memory");
    zmq_setsockopt(proxy.router, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof mandatory);
    check(zmq_bind(proxy.router, argv[1]) == 0, argv[1]);
    run(&proxy);
    printf("messages %" PRIu64 " accepted_items %" PRIu64, proxy.messages, proxy.accepted_items);
    for (int i = 0; i < FATES; i++) printf(" %s %" PRIu64, fate_names[i], proxy.counts[i]);
    printf("\n");
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (proxy.peers[i].dealer) peer_close(&proxy.peers[i]);
    }
    int linger_ms = 0;
    zmq_setsockopt(proxy.router, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close(proxy.router);
    zmq_ctx_term(proxy.context);
    free(proxy.peers);
    decoder_destroy(&proxy.decoder);
    encoder_destroy(&proxy.encoder);
    return EXIT_SUCCESS;
}
