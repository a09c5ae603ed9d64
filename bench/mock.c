/* A stand-in for the provider: answers every request at once, with fixed bytes, from one thread.
 *
 *   mock PORT REPLY.json REPLY.sse
 *
 * A request whose body says "stream": true gets the events of REPLY.sse, one write() each and gap_us apart; any other
 * gets REPLY.json. GET /mock answers {"requests": N} of those two kinds; GET /mock?think_us=N&gap_us=N sets the pace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 4096, EDGE = 2048, MAX_EVENTS = 1024, FIRST_ROOM = 65536 };

struct conn {
    char *in;
    size_t room, have, head, want; /* head: length of the request's head; want: of the whole request, 0 = chunked */
    int open, next;                /* next: index of the event to write, -1 when none is due */
    double due;
};

static struct conn conns[MAX_FDS];
static char *json_reply, *sse_reply;
static size_t json_length, event_end[MAX_EVENTS];
static int events, epoll_fd, streaming, highest;
static long requests;
static double think, gap;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void say(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = write(fd, bytes, length);
        if (sent < 0 && errno != EAGAIN) return;
        if (sent > 0) bytes += sent, length -= (size_t)sent;
    }
}

/* The file as the body of an HTTP reply: its head and its bytes in one piece. */
static char *reply_of(const char *path, const char *type, size_t *body, size_t *length) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) < 0) { perror(path); exit(1); }
    char *whole = malloc((size_t)about.st_size + 512);
    int head = sprintf(whole, "HTTP/1.1 200 OK\r\ncontent-type: %s\r\nrequest-id: req_bench\r\ncontent-length: %ld\r\n\r\n",
                       type, (long)about.st_size);
    if (read(fd, whole + head, (size_t)about.st_size) != about.st_size) exit(1);
    close(fd);
    *body = (size_t)head;
    *length = (size_t)head + (size_t)about.st_size;
    return whole;
}

static void cut_events(size_t body, size_t length) {
    for (size_t at = body; at < length && events < MAX_EVENTS;) {
        char *end = memmem(sse_reply + at, length - at, "\n\n", 2);
        at = end ? (size_t)(end - sse_reply) + 2 : length;
        event_end[events++] = at;
    }
}

static void write_due(int fd) {
    struct conn *c = &conns[fd];
    while (c->next >= 0 && (c->due == 0 || now() >= c->due)) {
        size_t from = c->next ? event_end[c->next - 1] : 0;
        say(fd, sse_reply + from, event_end[c->next] - from);
        if (gap > 0) c->due += gap; else c->due = 0;
        if (++c->next == events) c->next = -1, streaming--;
    }
}

static int wants_stream(const char *body, size_t length) {
    const char *key = memmem(body, length < EDGE ? length : EDGE, "\"stream\":", 9);
    if (!key && length > EDGE) key = memmem(body + length - EDGE, EDGE, "\"stream\":", 9);
    if (!key) key = memmem(body, length, "\"stream\":", 9);
    return key && (!memcmp(key + 9, "true", 4) || !memcmp(key + 9, " true", 5));
}

static void answer(int fd) {
    struct conn *c = &conns[fd];
    if (!memcmp(c->in, "GET /mock", 9)) {
        char text[256], number[32];
        long think_us, gap_us;
        if (sscanf(c->in, "GET /mock?think_us=%ld&gap_us=%ld", &think_us, &gap_us) == 2)
            think = (double)think_us * 1e-6, gap = (double)gap_us * 1e-6;
        int length = sprintf(number, "{\"requests\": %ld}", requests);
        say(fd, text, (size_t)sprintf(text, "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", length, number));
    } else {
        requests++;
        if (wants_stream(c->in + c->head, c->have - c->head)) {
            c->next = 0, c->due = think > 0 || gap > 0 ? now() + think : 0, streaming++;
            write_due(fd);
        } else
            say(fd, json_reply, json_length);
    }
    c->have = c->head = c->want = 0;
}

static int whole(struct conn *c) {
    if (!c->head) {
        char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
        if (!end) return 0;
        c->head = (size_t)(end - c->in) + 4;
        *end = 0;
        char *length = strcasestr(c->in, "\r\ncontent-length:"), *chunked = strcasestr(c->in, "\r\ntransfer-encoding:");
        if (strcasestr(c->in, "\r\nexpect:")) say((int)(c - conns), "HTTP/1.1 100 Continue\r\n\r\n", 25);
        c->want = chunked ? 0 : c->head + (length ? (size_t)atol(length + 17) : 0);
    }
    if (c->want) return c->have >= c->want;
    return c->have >= c->head + 5 && !memcmp(c->in + c->have - 5, "0\r\n\r\n", 5);
}

static void take(int fd) {
    struct conn *c = &conns[fd];
    size_t needed = c->want > c->have ? c->want + 1 : c->have + FIRST_ROOM;
    if (needed > c->room) c->in = realloc(c->in, c->room = needed > 2 * c->room ? needed : 2 * c->room);
    ssize_t got = read(fd, c->in + c->have, c->room - c->have - 1);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        if (c->next >= 0) streaming--;
        c->next = -1, c->open = 0;
        close(fd);
        return;
    }
    c->have += (size_t)got;
    if (whole(c)) answer(fd);
}

static void let_in(int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    if (fd >= MAX_FDS) { close(fd); return; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conns[fd].have = conns[fd].head = conns[fd].want = 0;
    conns[fd].next = -1, conns[fd].open = 1;
    if (fd > highest) highest = fd;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
}

static void serve(int listener) {
    struct epoll_event ready[64];
    for (;;) {
        int count = epoll_wait(epoll_fd, ready, 64, streaming ? 1 : -1);
        for (int i = 0; i < count; i++)
            if (ready[i].data.fd == listener) let_in(listener);
            else take(ready[i].data.fd);
        for (int fd = 0; streaming && fd <= highest; fd++)
            if (conns[fd].open && conns[fd].next >= 0) write_due(fd);
    }
}

int main(int count, char **args) {
    size_t body, length;
    if (count != 4) return fprintf(stderr, "usage: mock PORT REPLY.json REPLY.sse\n"), 2;
    json_reply = reply_of(args[2], "application/json", &body, &json_length);
    sse_reply = reply_of(args[3], "text/event-stream; charset=utf-8", &body, &length);
    cut_events(body, length);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(args[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 512) < 0) return perror("mock"), 1;
    epoll_fd = epoll_create1(0);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    serve(listener);
}
