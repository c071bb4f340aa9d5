/* The numbers that differ between architectures and libcs, so that TypeScript writes none of them down. */
#include "addon.h"
#include "peer.h"
#include "scm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <uv.h>

/* Newer than the headers that it may be built with; the same on every architecture but parisc and sparc. */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define C(name) {#name, name}

static const struct {
  const char *name;
  double value;
} constants[] = {
  C(AF_UNSPEC), C(AF_UNIX), C(AF_INET), C(AF_INET6), C(AF_VSOCK),
  C(SOCK_STREAM), C(SOCK_DGRAM), C(SOCK_SEQPACKET), C(SOCK_NONBLOCK),
  C(SOL_SOCKET), C(IPPROTO_IP), C(IPPROTO_IPV6), C(IPPROTO_TCP),
  C(SHUT_RD), C(SHUT_WR), C(SHUT_RDWR),

  C(SO_ACCEPTCONN), C(SO_BINDTODEVICE), C(SO_BROADCAST), C(SO_COOKIE), C(SO_DOMAIN), C(SO_ERROR), C(SO_KEEPALIVE),
  C(SO_LINGER), C(SO_LOCK_FILTER), C(SO_MARK), C(SO_MEMINFO), C(SO_NETNS_COOKIE), C(SO_PASSCRED), C(SO_PASSRIGHTS),
  C(SO_PASSSEC), C(SO_PEERCRED), C(SO_PEERGROUPS), C(SO_PEERPIDFD), C(SO_PRIORITY), C(SO_PROTOCOL), C(SO_RCVBUF),
  C(SO_RCVBUFFORCE), C(SO_REUSEADDR), C(SO_REUSEPORT), C(SO_SNDBUF), C(SO_SNDBUFFORCE), C(SO_TIMESTAMP),
  C(SO_TIMESTAMPNS), C(SO_TYPE),
  C(SO_ATTACH_FILTER), C(SO_BINDTOIFINDEX), C(SO_BUSY_POLL), C(SO_DETACH_FILTER), C(SO_DONTROUTE), C(SO_GET_FILTER),
  C(SO_INCOMING_CPU), C(SO_MAX_PACING_RATE), C(SO_OOBINLINE), C(SO_PEEK_OFF), C(SO_RCVLOWAT), C(SO_RCVTIMEO),
  C(SO_SNDTIMEO), C(SO_TXTIME), C(SO_ZEROCOPY), C(SO_DETACH_REUSEPORT_BPF),
  C(SO_ATTACH_REUSEPORT_CBPF), C(EPOLL_CTL_ADD), C(EPOLL_CTL_DEL), C(EPOLLIN), C(EPOLLONESHOT),

  C(IP_FREEBIND), C(IP_MINTTL), C(IP_MTU_DISCOVER), C(IP_OPTIONS), C(IP_PKTINFO), C(IP_RECVERR), C(IP_TOS),
  C(IP_TRANSPARENT), C(IP_TTL),
  C(IPV6_FREEBIND), C(IPV6_MINHOPCOUNT), C(IPV6_RECVPKTINFO), C(IPV6_TCLASS), C(IPV6_TRANSPARENT),
  C(IPV6_UNICAST_HOPS), C(IPV6_V6ONLY),
  C(TCP_CONGESTION), C(TCP_CORK), C(TCP_DEFER_ACCEPT), C(TCP_FASTOPEN), C(TCP_INFO), C(TCP_KEEPCNT), C(TCP_KEEPIDLE),
  C(TCP_KEEPINTVL), C(TCP_LINGER2), C(TCP_MAXSEG), C(TCP_NODELAY), C(TCP_NOTSENT_LOWAT), C(TCP_QUICKACK),
  C(TCP_SAVE_SYN), C(TCP_SYNCNT), C(TCP_USER_TIMEOUT), C(TCP_WINDOW_CLAMP),
  {"TCP_INFO_STATE", offsetof(struct tcp_info, tcpi_state)},
  {"TCP_INFO_UNACKED", offsetof(struct tcp_info, tcpi_unacked)},
  {"TCP_INFO_SACKED", offsetof(struct tcp_info, tcpi_sacked)},
  C(SK_MEMINFO_RMEM_ALLOC), C(SK_MEMINFO_RCVBUF), C(SK_MEMINFO_DROPS),
  C(VMADDR_CID_ANY), C(VMADDR_PORT_ANY),

  C(O_RDONLY), C(O_RDWR), C(O_CREAT), C(O_EXCL), C(O_NOFOLLOW), C(O_PATH), C(O_DIRECTORY), C(O_NONBLOCK),
  C(POLLIN), C(POLLOUT), C(POLLERR), C(POLLHUP), C(POLLRDHUP),
  C(UV_READABLE), C(UV_WRITABLE), C(UV_DISCONNECT),
  C(SCM_FDS_MAX), {"SCM_META_LENGTH", sizeof(struct scm_meta) / sizeof(int32_t)},
  {"PEER_LENGTH", sizeof(struct peer) / sizeof(int32_t)},
  C(SCM_TRUNCATED), C(SCM_CONTROL_TRUNCATED), C(SCM_HAS_CREDENTIALS),
};

static const struct {
  const char *name;
  double value;
} errors[] = {
  C(EPERM), C(ENOENT), C(ESRCH), C(EINTR), C(EIO), C(ENXIO), C(E2BIG), C(EBADF), C(ECHILD), C(EAGAIN), C(ENOMEM),
  C(EACCES), C(EFAULT), C(EBUSY), C(EEXIST), C(EXDEV), C(ENODEV), C(ENOTDIR), C(EISDIR), C(EINVAL), C(ENFILE),
  C(EMFILE), C(ENOTTY), C(EFBIG), C(ENOSPC), C(ESPIPE), C(EROFS), C(EMLINK), C(EPIPE), C(EDOM), C(ERANGE), C(EDEADLK),
  C(ENAMETOOLONG), C(ENOLCK), C(ENOSYS), C(ENOTEMPTY), C(ELOOP), C(EPROTO), C(EBADMSG), C(EOVERFLOW), C(EUSERS),
  C(ENOTSOCK), C(EDESTADDRREQ), C(EMSGSIZE), C(EPROTOTYPE), C(ENOPROTOOPT), C(EPROTONOSUPPORT), C(ESOCKTNOSUPPORT),
  C(EOPNOTSUPP), C(EPFNOSUPPORT), C(EAFNOSUPPORT), C(EADDRINUSE), C(EADDRNOTAVAIL), C(ENETDOWN), C(ENETUNREACH),
  C(ENETRESET), C(ECONNABORTED), C(ECONNRESET), C(ENOBUFS), C(EISCONN), C(ENOTCONN), C(ESHUTDOWN), C(ETOOMANYREFS),
  C(ETIMEDOUT), C(ECONNREFUSED), C(EHOSTDOWN), C(EHOSTUNREACH), C(EALREADY), C(EINPROGRESS), C(ESTALE), C(EDQUOT),
  C(ECANCELED), C(EOWNERDEAD),
};

napi_value addon_constants(napi_env env)
{
  napi_value table, names;
  napi_create_object(env, &table);
  napi_create_object(env, &names);
  for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
    napi_set_named_property(env, table, constants[i].name, addon_number(env, constants[i].value));
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    napi_set_named_property(env, names, errors[i].name, addon_number(env, errors[i].value));
  napi_set_named_property(env, table, "errno", names);
  return table;
}
