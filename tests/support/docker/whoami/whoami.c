/* A tiny static HTTP/1.1 backend for tests: it answers with the request it has received.
 *
 *   GET /any/path            200 and the request as text, X-Backend names the container
 *   ?status=503              answers with that status
 *   ?wait_ms=200             answers after that time
 *   ?bytes=1048576           answers with that many bytes 'x'
 *   POST /health, body 500   from now on GET /health answers 500
 *
 * "whoami -check" is the health check for an image without a shell. Environment: WHOAMI_PORT_NUMBER (80),
 * WHOAMI_NAME (shown in the answer), START_MS (0: time until it listens), STOP_MS (0: time between
 * SIGTERM and the end, during which requests in flight finish and new connections are refused),
 * DRIP_MS (0: time between any two bytes of an answer).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LIMIT 65536

static volatile int health_status = 200;
static int listener, stopping[2];

static int number(const char *name, int otherwise) {
  const char *value = getenv(name);
  return value ? atoi(value) : otherwise;
}

static int send_all(int fd, const char *data, size_t size) {
  int drip = number("DRIP_MS", 0);
  while (size) {
    ssize_t sent = write(fd, data, drip ? 1 : size);
    if (sent <= 0) return -1;
    if (drip) usleep((useconds_t)drip * 1000);
    data += sent;
    size -= (size_t)sent;
  }
  return 0;
}

static long query(const char *target, const char *key, long otherwise) {
  const char *found = strstr(target, key);
  return found ? atol(found + strlen(key)) : otherwise;
}

static int send_filler(int fd, long size) {
  static char block[LIMIT];
  memset(block, 'x', sizeof block);
  while (size > 0) {
    long part = size < LIMIT ? size : LIMIT;
    if (send_all(fd, block, (size_t)part)) return -1;
    size -= part;
  }
  return 0;
}

/* Answers one request of head_size + body_size bytes; returns whether the connection stays. */
static int answer(int fd, char *request, int head_size, long body_size, int last) {
  char method[16] = "", target[4096] = "", host[256] = "", head[512];
  static __thread char text[LIMIT + 1024];
  sscanf(request, "%15s %4095s", method, target);
  gethostname(host, sizeof host - 1);

  long status = 200;
  if (!strncmp(target, "/health", 7)) {
    if (!strcmp(method, "POST")) health_status = atoi(request + head_size);
    status = health_status;
  }
  status = query(target, "status=", status);
  long wait = query(target, "wait_ms=", 0);
  if (wait > 0) usleep((useconds_t)wait * 1000);

  const char *name = getenv("WHOAMI_NAME");
  int size = snprintf(text, sizeof text, "Name: %s\nHostname: %s\n%.*s\nBodyLength: %ld\n",
                      name ? name : "", host, head_size - 4, request, body_size);
  long filler = query(target, "bytes=", -1);
  int head_length = snprintf(
      head, sizeof head,
      "HTTP/1.1 %ld Status\r\nContent-Type: text/plain\r\nContent-Length: %ld\r\nX-Backend: %s\r\n%s\r\n",
      status, filler >= 0 ? filler : size, host, last ? "Connection: close\r\n" : "");
  if (send_all(fd, head, (size_t)head_length)) return 0;
  if (!strcmp(method, "HEAD")) return !last;
  if (filler >= 0 ? send_filler(fd, filler) : send_all(fd, text, (size_t)size)) return 0;
  return !last;
}

static void *serve(void *argument) {
  int fd = (int)(long)argument, have = 0;
  char *buffer = malloc(LIMIT + 1);
  for (;;) {
    char *end;
    buffer[have] = 0;
    while (!(end = strstr(buffer, "\r\n\r\n"))) {
      ssize_t got = have < LIMIT ? read(fd, buffer + have, (size_t)(LIMIT - have)) : 0;
      if (got <= 0) goto out;
      have += (int)got;
      buffer[have] = 0;
    }
    int head_size = (int)(end - buffer) + 4, last = 0;
    long body_size = 0;
    for (char *line = strstr(buffer, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n")) {
      if (!strncasecmp(line + 2, "content-length:", 15)) body_size = atol(line + 17);
      if (!strncasecmp(line + 2, "connection: close", 17)) last = 1;
    }
    if (body_size < 0 || head_size + body_size > LIMIT) goto out;
    while (have < head_size + body_size) {
      ssize_t got = read(fd, buffer + have, (size_t)(LIMIT - have));
      if (got <= 0) goto out;
      have += (int)got;
    }
    buffer[have] = 0;
    if (!answer(fd, buffer, head_size, body_size, last)) goto out;
    have -= head_size + (int)body_size;
    memmove(buffer, buffer + head_size + body_size, (size_t)have);
  }
out:
  close(fd);
  free(buffer);
  return NULL;
}

/* Process 1 of a container has no default action for SIGTERM. */
static void stop(int signal_number) {
  (void)signal_number;
  if (!number("STOP_MS", 0)) _exit(0);
  if (write(stopping[1], "x", 1) < 0) _exit(1);
}

static void begin(int fd) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, serve, (void *)(long)fd)) close(fd);
  else pthread_detach(thread);
}

/* Whoever has connected is served still; then new connections are refused. */
static void end(void) {
  int fd;
  fcntl(listener, F_SETFL, O_NONBLOCK);
  while ((fd = accept(listener, NULL, NULL)) >= 0) begin(fd);
  close(listener);
  usleep((useconds_t)number("STOP_MS", 0) * 1000);
  _exit(0);
}

static int check(const struct sockaddr_in *address, int fd) {
  static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  char reply[64] = "";
  if (connect(fd, (const void *)address, sizeof *address)) return 1;
  if (send_all(fd, request, sizeof request - 1)) return 1;
  return !(read(fd, reply, sizeof reply - 1) > 12 && reply[9] == '2');
}

int main(int count, char **arguments) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)number("WHOAMI_PORT_NUMBER", 80))};
  int yes = 1;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (count > 1 && !strcmp(arguments[1], "-check")) {
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return check(&address, listener);
  }
  usleep((useconds_t)number("START_MS", 0) * 1000);
  if (pipe(stopping)) return 1;
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, stop);
  signal(SIGINT, stop);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (const void *)&address, sizeof address) || listen(listener, 1024)) {
    perror("whoami: listen");
    return 1;
  }
  for (;;) {
    struct pollfd events[2] = {{.fd = listener, .events = POLLIN}, {.fd = stopping[0], .events = POLLIN}};
    if (poll(events, 2, -1) < 0) continue;
    if (events[1].revents) end();
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) usleep(1000);
    else begin(fd);
  }
}
