/* sock.c: any text as any address, and what the kernel says of a socket's name. */
#include "harness.h"
#include "sock.h"

#include <linux/vm_sockets.h>
#include <string.h>
#include <unistd.h>

static void any_text_as_any_address(uint64_t seed, int rounds)
{
  static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_VSOCK, AF_UNSPEC, 77};
  static const char *const pieces[] = {"@", "/", "%", "%eth0", "%99999999999", "::", "fe80::1", "127.0.0.1", "1.2.3.4.5", ":", "x"};
  for (int round = 0; round < rounds; round++) {
    char *text = malloc(400);
    size_t length = 0;
    for (uint32_t part = below(&seed, 6); part > 0; part--) {
      const char *piece = pieces[below(&seed, sizeof pieces / sizeof pieces[0])];
      memcpy(text + length, piece, strlen(piece));
      length += strlen(piece);
    }
    for (uint32_t more = below(&seed, 4) ? 0 : below(&seed, 300); more > 0; more--)
      text[length++] = (char)below(&seed, 256);
    char *exact = malloc(length ? length : 1); /* so that one byte too far is seen */
    memcpy(exact, text, length);
    struct sock_address address;
    int status = sock_address(families[below(&seed, 6)], exact, length, below(&seed, 70000), &address);
    CHECK(status <= 0 && (status < 0 || address.length <= sizeof address.storage));
    free(exact);
    free(text);
  }
}

/* A path of 108 bytes has no closing NUL in the kernel's answer; an abstract name may hold NULs. */
static void names_of_every_length(void)
{
  for (size_t length = 1; length <= 108; length++) {
    char text[108];
    memset(text, 'n', sizeof text);
    text[0] = '@';
    if (length > 3)
      text[2] = 0;
    struct sock_address address;
    struct sock_words words;
    int fd = sock_open(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(sock_address(AF_UNIX, text, length, 0, &address) == 0 && sock_bind(fd, &address) == 0);
    CHECK(sock_name(fd, &words) == 0);
    CHECK(length == 1 || (words.length == length && memcmp(words.text, text, length) == 0));
    close(fd);
  }
}

int main(int argc, char **argv)
{
  int before = open_fds();
  any_text_as_any_address(argc > 1 ? strtoull(argv[1], NULL, 10) : 1, 300000);
  names_of_every_length();
  CHECK(open_fds() == before);
  puts("ok");
  return 0;
}
