// Sends a server requests at a fixed pace and reports how long the responses took. Linux only.
//
//   paced HOST PORT PATH FIELDS SECONDS WARMUP NAME:RATE:CONNECTIONS:FILE [NAME:RATE:CONNECTIONS:FILE ...]
//
// FIELDS are further headers of every request, separated by line feeds; they may be empty. Each class has its own
// rate, keep-alive connections and file of tokens, one a line, used in turn.
//
// The pace is an open loop: request number k is due at k/rate seconds, whatever became of those before it. Both times
// that are reported of each response end when the kernel had received it, by its time stamp. "seen" is a client's on
// another machine: it begins when the request was due, with all that it was sent late. The others are the server's and
// begin when it was sent. What is due while all connections are busy waits here, and that wait is the server's and
// counts in both: one that stalls for a second so has a second's worth of slow responses, where a client that waits
// for each response before it sends again would have noticed a single one ("coordinated omission").
//
// A client on another machine is not late because the server's has one of its cores held up, for instance by a commit
// that rings the disk's doorbell. So there are two hands: what the first has not sent of the first class a moment after
// it was due, the second does, on a core that is free. Where none is, both are late, and "seen" has that.
//
// Requests that are due in the first WARMUP of the SECONDS are made and not counted.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shim.h"

#define SECOND 1000000000LL
// How long answers are waited for behind the last due request.
#define GRACE (2 * SECOND)
// How long the second hand leaves a request to the first.
#define FIRST_HAND (SECOND / 20000)
#define MAX_CLASSES 4
#define BUFFER 16384

struct request {
    char *bytes;
    size_t length;
};

struct connection {
    int fd;
    struct class *class;
    int64_t due;  // when the request on it was due; -1 when there is none
    int64_t waited;  // how long that waited for a connection, in nanoseconds
    int64_t sent;  // on the clock of the kernel's time stamps
    size_t length;
    char buffer[BUFFER];
};

struct class {
    char *name;
    double rate;
    int connection_count;
    struct connection *connections;
    struct connection **idle;
    int idle_count;
    int64_t busy_until;  // when one of them came back while all had been busy, last
    struct request *requests;
    size_t request_count;
    int64_t total;  // due in the whole run
    int64_t begun;  // sent, or given up
    int64_t *latencies;
    int64_t *seen;
    int64_t counted;
    int64_t answered;
    int64_t lost;  // the connection ended before the answer
    int64_t unanswered;
    int64_t reconnects;
    int64_t statuses[1000];
};

// Held by the hand that works on classes and connections.
static pthread_mutex_t hands = PTHREAD_MUTEX_INITIALIZER;
static struct sockaddr_in address;
static int poll_fd;
static int64_t start;
static int64_t warm;
static double seconds;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "paced: %s: %s\n", what, why);
    exit(1);
}

static int64_t nanoseconds(const struct timespec *time) { return time->tv_sec * SECOND + time->tv_nsec; }

static int64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return nanoseconds(&time);
}

static int64_t now(void) { return read_clock(CLOCK_MONOTONIC); }

static int64_t due_at(const struct class *class, int64_t number) {
    return start + (int64_t)(number * (SECOND / class->rate));
}

// Over loopback a connection is made immediately, so this waits for it.
static void open_connection(struct connection *connection) {
    int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fail("socket", strerror(errno));
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect", strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (setsockopt(connection->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) {
        fail("SO_TIMESTAMPNS", strerror(errno));
    }
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) fail("epoll_ctl", strerror(errno));
    connection->due = -1;
    connection->length = 0;
    connection->class->idle[connection->class->idle_count++] = connection;
}

static void reopen(struct connection *connection) {
    struct class *class = connection->class;
    if (connection->due >= 0) {
        class->lost++;
        if (class->idle_count == 0) class->busy_until = now();
    } else {
        for (int i = 0; i < class->idle_count; i++) {
            if (class->idle[i] == connection) class->idle[i--] = class->idle[--class->idle_count];
        }
    }
    class->reconnects++;
    close(connection->fd);
    open_connection(connection);
}

static void count(struct class *class, int64_t due, int64_t latency, int64_t seen) {
    if (due < warm) return;
    class->latencies[class->counted] = latency;
    class->seen[class->counted++] = seen;
}

// The class whose next request is due first, of those that have a connection for it; NULL when none has.
static struct class *first_due(struct class *classes, int count) {
    struct class *first = NULL;
    for (int i = 0; i < count; i++) {
        if (classes[i].begun == classes[i].total || classes[i].idle_count == 0) continue;
        if (first == NULL || due_at(&classes[i], classes[i].begun) < due_at(first, first->begun)) first = &classes[i];
    }
    return first;
}

// Sends what is due and has a connection, in the order in which it was due whatever its class; answers when the next
// request is due, or -1 when nothing waits for time.
static int64_t send_due(struct class *classes, int count, int64_t moment) {
    for (struct class *class; (class = first_due(classes, count)) != NULL;) {
        int64_t due = due_at(class, class->begun);
        if (due > moment) return due;
        struct connection *connection = class->idle[class->idle_count - 1];
        struct request *request = &class->requests[class->begun % class->request_count];
        connection->waited = due < class->busy_until ? class->busy_until - due : 0;
        connection->sent = read_clock(CLOCK_REALTIME);
        ssize_t written = send(connection->fd, request->bytes, request->length, MSG_NOSIGNAL);
        if (written != (ssize_t)request->length) {
            // An idle connection that the server has closed; a few hundred bytes always fit.
            reopen(connection);
            continue;
        }
        class->idle_count--;
        connection->due = due;
        class->begun++;
    }
    return -1;
}

// The value of a field in the head that ends at `end`, or NULL.
static const char *field(const char *head, const char *end, const char *name) {
    size_t length = strlen(name);
    for (const char *line = head; line != NULL && line < end; line = memmem(line, end - line, "\r\n", 2)) {
        if (*line == '\r') line += 2;
        if (end - line > (long)length && strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1;
            return value + strspn(value, " ");
        }
    }
    return NULL;
}

// Receives what is there and adds it to the buffer; `arrived` becomes when the kernel had it, on the clock of `sent`.
static ssize_t receive_more(struct connection *connection, int64_t *arrived) {
    union {
        char bytes[256];
        struct cmsghdr aligned;
    } control;
    struct iovec room = {connection->buffer + connection->length, BUFFER - 1 - connection->length};
    struct msghdr message = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(connection->fd, &message, 0);
    if (got <= 0) return got;
    for (struct cmsghdr *told = CMSG_FIRSTHDR(&message); told != NULL; told = CMSG_NXTHDR(&message, told)) {
        if (told->cmsg_level != SOL_SOCKET || told->cmsg_type != SCM_TIMESTAMPNS) continue;
        struct timespec time;
        memcpy(&time, CMSG_DATA(told), sizeof time);
        *arrived = nanoseconds(&time);
        return got;
    }
    // The first few, before the kernel begins to take the time.
    *arrived = read_clock(CLOCK_REALTIME);
    return got;
}

static void receive(struct connection *connection) {
    struct class *class = connection->class;
    int64_t arrived = 0;
    ssize_t got = receive_more(connection, &arrived);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return reopen(connection);
    connection->length += got;
    connection->buffer[connection->length] = 0;
    if (connection->due < 0) fail("an answer without a request", connection->buffer);
    char *end = memmem(connection->buffer, connection->length, "\r\n\r\n", 4);
    if (end == NULL) {
        if (connection->length == BUFFER - 1) fail("an answer is too long", class->name);
        return;
    }
    const char *length = field(connection->buffer, end, "content-length");
    if (length == NULL) fail("an answer without Content-Length", connection->buffer);
    size_t whole = end + 4 - connection->buffer + strtoul(length, NULL, 10);
    if (whole >= BUFFER) fail("an answer is too long", class->name);
    if (connection->length < whole) return;
    int status = atoi(connection->buffer + 9);
    if (status < 100 || status > 999) fail("an answer without a status", connection->buffer);
    if (connection->due >= warm) {
        class->answered++;
        class->statuses[status]++;
    }
    // The kernel's time stamps are of the clock that may be set.
    int64_t moment = now(), unread = read_clock(CLOCK_REALTIME) - arrived;
    int64_t latency = connection->waited + arrived - connection->sent, seen = moment - unread - connection->due;
    if (unread < 0 || latency < 0 || latency > seen + SECOND / 1000) fail("the clock was set meanwhile", class->name);
    count(class, connection->due, latency, seen);
    if (class->idle_count == 0) class->busy_until = moment;
    connection->due = -1;
    connection->length = 0;
    class->idle[class->idle_count++] = connection;
    const char *mode = field(connection->buffer, end, "connection");
    if (mode != NULL && strncasecmp(mode, "close", 5) == 0) reopen(connection);
}

static void read_tokens(struct class *class, const char *path, const char *head) {
    FILE *file = fopen(path, "r");
    if (file == NULL) fail(path, strerror(errno));
    size_t room = 0;
    char token[512];
    while (fgets(token, sizeof token, file) != NULL) {
        token[strcspn(token, "\r\n")] = 0;
        if (*token == 0) continue;
        if (class->request_count == room) {
            room = room ? room * 2 : 1024;
            class->requests = realloc(class->requests, room * sizeof *class->requests);
            if (class->requests == NULL) fail(path, "out of memory");
        }
        struct request *request = &class->requests[class->request_count++];
        int length = asprintf(&request->bytes, "%sAuthorization: Bearer %s\r\n\r\n", head, token);
        if (length < 0) fail(path, "out of memory");
        request->length = length;
    }
    fclose(file);
    if (class->request_count == 0) fail(path, "it holds no token");
}

static void read_class(struct class *class, char *text, const char *head) {
    class->name = strtok(text, ":");
    char *rate = strtok(NULL, ":"), *connections = strtok(NULL, ":"), *path = strtok(NULL, "");
    if (class->name == NULL || rate == NULL || connections == NULL || path == NULL) fail("a class", "see the usage");
    class->rate = atof(rate);
    class->connection_count = atoi(connections);
    if (class->rate <= 0 || class->connection_count <= 0) fail(class->name, "the rate or the connections are none");
    class->total = (int64_t)(class->rate * seconds);
    class->latencies = calloc(class->total + 1, sizeof *class->latencies);
    class->seen = calloc(class->total + 1, sizeof *class->seen);
    class->connections = calloc(class->connection_count, sizeof *class->connections);
    class->idle = calloc(class->connection_count, sizeof *class->idle);
    if (class->latencies == NULL || class->seen == NULL || class->connections == NULL || class->idle == NULL) fail(class->name, "no memory");
    read_tokens(class, path, head);
    for (int i = 0; i < class->connection_count; i++) {
        class->connections[i].class = class;
        open_connection(&class->connections[i]);
    }
}

// What all requests begin with: everything but the token.
static char *make_head(const char *host, const char *port, const char *path, char *fields) {
    char *head;
    if (asprintf(&head, "GET %s HTTP/1.1\r\nHost: %s:%s\r\n", path, host, port) < 0) fail("head", "out of memory");
    for (char *line = strtok(fields, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *longer;
        if (asprintf(&longer, "%s%s\r\n", head, line) < 0) fail("head", "out of memory");
        free(head);
        head = longer;
    }
    return head;
}

static int ascending(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

// Per ten thousand, in microseconds: the least of the times that so many of them did not pass.
static double percentile(const int64_t *times, int64_t counted, int64_t share) {
    if (counted == 0) return 0;
    return times[(counted * share + 9999) / 10000 - 1] / 1e3;
}

static void report_times(int64_t *times, int64_t counted) {
    qsort(times, counted, sizeof *times, ascending);
    printf("\"p50\":%.1f,\"p90\":%.1f,", percentile(times, counted, 5000), percentile(times, counted, 9000));
    printf("\"p99\":%.1f,\"p99.9\":%.1f,", percentile(times, counted, 9900), percentile(times, counted, 9990));
    printf("\"max\":%.1f", percentile(times, counted, 10000));
}

static void report(struct class *class, int64_t finished) {
    // The time from the first counted request to the last answer: a server that fell behind took longer than planned.
    double window = (finished - warm) / 1e9;
    printf("\"%s\":{\"offered\":%.1f,\"achieved\":%.1f,", class->name, class->rate, class->answered / window);
    printf("\"answered\":%lld,\"unanswered\":%lld,", (long long)class->answered, (long long)class->unanswered);
    printf("\"lost\":%lld,\"reconnects\":%lld,", (long long)class->lost, (long long)class->reconnects);
    report_times(class->latencies, class->counted);
    printf(",\"seen\":{");
    report_times(class->seen, class->counted);
    printf("},\"statuses\":{");
    const char *comma = "";
    for (int status = 0; status < 1000; status++) {
        if (class->statuses[status] == 0) continue;
        printf("%s\"%d\":%lld", comma, status, (long long)class->statuses[status]);
        comma = ",";
    }
    printf("}}");
}

// Whether every due request was begun and answered.
static int is_done(const struct class *class) {
    return class->begun == class->total && class->idle_count == class->connection_count;
}

// A client on another machine would not wait until the server's threads have used up their slices, so each hand asks for
// the shortest: 0.1 ms. Timers may otherwise be 50 microseconds late.
static void make_prompt(void) {
    prctl(PR_SET_TIMERSLACK, 1);
    keybearer_request_slice(100000);
}

// Sends what the first hand has left undone, until all of its class is sent.
static void *second_hand(void *argument) {
    struct class *class = argument;
    make_prompt();
    pthread_mutex_lock(&hands);
    while (class->begun < class->total) {
        int64_t moment = now(), due = due_at(class, class->begun) + FIRST_HAND;
        if (due <= moment) {
            send_due(class, 1, moment);
            // Or no connection is idle.
            due = class->begun < class->total ? due_at(class, class->begun) + FIRST_HAND : 0;
            if (due <= moment) due = moment + FIRST_HAND;
        }
        pthread_mutex_unlock(&hands);
        struct timespec wake = {.tv_sec = due / SECOND, .tv_nsec = due % SECOND};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
        pthread_mutex_lock(&hands);
    }
    pthread_mutex_unlock(&hands);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 8 || argc > 7 + MAX_CLASSES) {
        fail("usage", "paced HOST PORT PATH FIELDS SECONDS WARMUP NAME:RATE:CONNECTIONS:FILE ...");
    }
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) fail(argv[1], "want an IPv4 address");
    seconds = atof(argv[5]);
    const char *head = make_head(argv[1], argv[2], argv[3], argv[4]);
    make_prompt();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    static struct class classes[MAX_CLASSES];
    int class_count = argc - 7;
    for (int i = 0; i < class_count; i++) read_class(&classes[i], argv[7 + i], head);

    start = now() + SECOND / 20;
    warm = start + (int64_t)(atof(argv[6]) * SECOND);
    int64_t end = start + (int64_t)(seconds * SECOND), moment;
    pthread_t second;
    int failed = pthread_create(&second, NULL, second_hand, &classes[0]);
    if (failed) fail("pthread_create", strerror(failed));
    pthread_mutex_lock(&hands);
    struct epoll_event events[64];
    for (;;) {
        moment = now();
        int64_t wake = end + GRACE;
        int64_t next = send_due(classes, class_count, moment);
        if (next >= 0) wake = next;
        int done = 1;
        for (int i = 0; i < class_count; i++) done = done && is_done(&classes[i]);
        if (done || moment >= end + GRACE) break;
        // Waits to the nanosecond in one call of the system: a timer of its own would cost two more for each request.
        int64_t left = wake - now();
        if (left < 0) left = 0;
        struct timespec wait = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
        pthread_mutex_unlock(&hands);
        int ready = epoll_pwait2(poll_fd, events, 64, &wait, NULL);
        pthread_mutex_lock(&hands);
        for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
    }

    // What was never answered waited until now, at the least.
    for (int i = 0; i < class_count; i++) {
        struct class *class = &classes[i];
        for (int j = 0; j < class->connection_count; j++) {
            if (class->connections[j].due < 0) continue;
            class->unanswered++;
            int64_t waiting = moment - class->connections[j].due;
            count(class, class->connections[j].due, waiting, waiting);
        }
        for (; class->begun < class->total; class->begun++) {
            class->unanswered++;
            int64_t waiting = moment - due_at(class, class->begun);
            count(class, due_at(class, class->begun), waiting, waiting);
        }
    }
    printf("{");
    for (int i = 0; i < class_count; i++) {
        if (i > 0) printf(",");
        report(&classes[i], moment > end ? moment : end);
    }
    printf("}\n");
    return 0;
}
