/* A closed-loop load: CONC connections, each sends the next request when the last reply is whole.
 *
 *   load PORT PATH BODY CONC SECONDS EXPECTED [HEADER ...]
 *
 * BODY is a file; the sixteen bytes @@@@@@@@@@@@@@@@ in it become a serial number, another in every request. Every reply's
 * body is compared with the file EXPECTED. After SECONDS nothing new is sent, and what is under way is waited for.
 * Prints one JSON object; times are microseconds from the first byte sent: to the first byte of the reply's body (ttfb)
 * and to its last (total).
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

enum { MAX_CONNS = 1024, ROOM = 65536, MAX_SAMPLES = 4000000, GRACE_SECONDS = 20 };
enum state { HEAD, FIXED, SIZE_LINE, CHUNK, CHUNK_END, TRAILER };

struct conn {
    int fd, busy, same;
    size_t sent, have, left, seen; /* left: bytes of the body or chunk to come; seen: bytes of the body seen */
    enum state state;
    double began, first;
    char head[ROOM], serial[17];
};

static struct conn conns[MAX_CONNS];
static char *request, *expected, in[4 * ROOM];
static size_t request_length, expected_length, mark;
static unsigned short port;
static int epoll_fd, running = 1, under_way;
static long serials, answered, errors, different;
static float *ttfb, *total;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static char *content(const char *path, size_t *length) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) < 0) { perror(path); exit(2); }
    char *bytes = malloc((size_t)about.st_size + 1);
    if (read(fd, bytes, (size_t)about.st_size) != about.st_size) exit(2);
    close(fd);
    *length = (size_t)about.st_size;
    return bytes;
}

static void write_request(const char *path, const char *file, int count, char **headers) {
    size_t length, at;
    char *body = content(file, &length);
    request = malloc(length + ROOM);
    at = (size_t)sprintf(request, "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-length: %zu\r\n", path, port, length);
    for (int i = 0; i < count; i++) at += (size_t)sprintf(request + at, "%s\r\n", headers[i]);
    at += (size_t)sprintf(request + at, "\r\n");
    memcpy(request + at, body, length);
    request_length = at + length;
    char *found = memmem(request, request_length, "@@@@@@@@@@@@@@@@", 16);
    mark = found ? (size_t)(found - request) : 0;
    free(body);
}

static void send_more(struct conn *c) {
    while (c->sent < request_length) {
        size_t end = request_length;
        const char *from = request + c->sent;
        if (mark && c->sent < mark) end = mark;
        else if (mark && c->sent < mark + 16) end = mark + 16, from = c->serial + (c->sent - mark);
        int more = end < request_length ? MSG_MORE : 0;
        ssize_t sent = send(c->fd, from, end - c->sent, MSG_NOSIGNAL | more);
        if (sent < 0) break;
        c->sent += (size_t)sent;
    }
    unsigned want = c->sent < request_length ? EPOLLIN | EPOLLOUT : EPOLLIN;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = want, .data.ptr = c});
}

static void start(struct conn *c) {
    if (!running) return;
    c->sent = c->have = c->seen = 0;
    c->state = HEAD, c->first = 0, c->same = 1;
    snprintf(c->serial, sizeof c->serial, "%016ld", serials++);
    if (!c->busy) c->busy = 1, under_way++;
    c->began = now();
    send_more(c);
}

static void call(struct conn *c) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof at) < 0) { perror("connect"); exit(3); }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
}

static void fail(struct conn *c) {
    errors++;
    close(c->fd);
    if (c->busy) c->busy = 0, under_way--;
    if (running) call(c), start(c);
}

static void finish(struct conn *c) {
    double end = now();
    if (answered < MAX_SAMPLES) ttfb[answered] = (float)(c->first - c->began), total[answered] = (float)(end - c->began);
    answered++;
    if (!c->same || c->seen != expected_length) different++;
    c->busy = 0, under_way--;
    start(c);
}

static void see(struct conn *c, const char *bytes, size_t length) {
    if (length && !c->first) c->first = now();
    if (c->seen + length > expected_length || memcmp(bytes, expected + c->seen, length)) c->same = 0;
    c->seen += length;
}

/* Returns 0 when the head is no head of a 200. */
static int read_head(struct conn *c) {
    char *length = strcasestr(c->head, "\r\ncontent-length:"), *chunked = strcasestr(c->head, "\r\ntransfer-encoding:");
    if (strncmp(c->head + 8, " 200", 4) || (!length && !chunked)) {
        if (!errors) fprintf(stderr, "%.300s\n", c->head);
        return 0;
    }
    c->state = chunked ? SIZE_LINE : FIXED;
    c->left = chunked ? 0 : (size_t)atol(length + 17);
    c->have = 0;
    return 1;
}

/* Takes one line that ends the head, a chunk or its size; returns 0 until its line feed has come. */
static int line(struct conn *c, char byte, const char *end) {
    if (c->have < ROOM - 1) c->head[c->have++] = byte;
    size_t length = strlen(end);
    if (c->have < length || memcmp(c->head + c->have - length, end, length)) return 0;
    c->head[c->have] = 0;
    return 1;
}

static int step(struct conn *c, const char **at, const char *end) {
    if (c->state == FIXED || c->state == CHUNK) {
        size_t length = (size_t)(end - *at) < c->left ? (size_t)(end - *at) : c->left;
        if (!length) return 0; /* bytes after the end of the reply */
        see(c, *at, length);
        *at += length, c->left -= length;
        if (!c->left && c->state == CHUNK) c->state = CHUNK_END, c->have = 0;
        return 1;
    }
    if (!line(c, *(*at)++, c->state == HEAD ? "\r\n\r\n" : "\r\n")) return 1;
    if (c->state == HEAD) return read_head(c);
    if (c->state == SIZE_LINE) c->left = strtoul(c->head, NULL, 16), c->state = c->left ? CHUNK : TRAILER;
    else if (c->state == CHUNK_END) c->state = SIZE_LINE;
    else if (c->have == 2) c->state = FIXED; /* the empty line after the last chunk: nothing is left */
    c->have = 0;
    return 1;
}

static void take(struct conn *c) {
    ssize_t got = read(c->fd, in, sizeof in);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { fail(c); return; }
    for (const char *at = in; at < in + got;)
        if (!step(c, &at, in + got)) { fail(c); return; }
    if (c->state == FIXED && !c->left) finish(c);
}

static int order(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void quantiles(const char *name, float *samples) {
    size_t count = answered < MAX_SAMPLES ? (size_t)answered : MAX_SAMPLES;
    qsort(samples, count, sizeof *samples, order);
    printf("\"%s_p50\": %.1f, \"%s_p99\": %.1f, ", name, count ? samples[count / 2] : 0, name,
           count ? samples[count * 99 / 100] : 0);
}

int main(int count, char **args) {
    struct epoll_event ready[64];
    if (count < 7) return fprintf(stderr, "usage: load PORT PATH BODY CONC SECONDS EXPECTED [HEADER ...]\n"), 2;
    int conc = atoi(args[4]);
    port = (unsigned short)atoi(args[1]);
    if (conc < 1 || conc > MAX_CONNS) return 2;
    expected = content(args[6], &expected_length);
    write_request(args[2], args[3], count - 7, args + 7);
    ttfb = malloc(MAX_SAMPLES * sizeof *ttfb), total = malloc(MAX_SAMPLES * sizeof *total);
    epoll_fd = epoll_create1(0);
    for (int i = 0; i < conc; i++) call(&conns[i]);
    double began = now(), stop = began + atof(args[5]) * 1e6, ended = stop;
    for (int i = 0; i < conc; i++) start(&conns[i]);
    while (under_way && now() < stop + GRACE_SECONDS * 1e6) {
        int found = epoll_wait(epoll_fd, ready, 64, 10);
        if (running && now() >= stop) running = 0;
        for (int i = 0; i < found; i++) {
            struct conn *c = ready[i].data.ptr;
            if (ready[i].events & EPOLLOUT) send_more(c);
            if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(c);
        }
        ended = now();
    }
    printf("{\"sent\": %ld, \"answered\": %ld, \"errors\": %ld, \"different\": %ld, ", serials, answered, errors, different);
    quantiles("ttfb", ttfb), quantiles("total", total);
    printf("\"seconds\": %.4f}\n", (ended - began) * 1e-6);
    return 0;
}
