/*
 * Connects to a loopback port, waits for the other side to close, and again, for so long.
 * usage: connector PORT SECONDS      prints {"rate": connections a second}
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

int main(int count, char **words)
{
  if (count < 3)
    return 100;
  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  double seconds = atof(words[2]), start = measure_now();
  long made = 0;
  for (; measure_now() - start < seconds; made++) {
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
      fail("connect");
    if (read(fd, &byte, 1) != 0)
      fail("read");
    /* No TIME_WAIT, or the ports run out. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
  }
  printf("{\"rate\":%.0f}\n", made / (measure_now() - start));
}
