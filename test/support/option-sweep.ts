// Python for an attacker: sets every option of every level that it may to something else, and says which read otherwise than before.

export const SWEEP = `
LEVELS = {'SOL_SOCKET': 1, 'IPPROTO_IP': 0, 'IPPROTO_IPV6': 41, 'IPPROTO_TCP': 6, 'IPPROTO_UDP': 17, 'AF_VSOCK': 40}
NUMBERS = range(130)
# They change by themselves, or with the reader: SO_ERROR, SO_MEMINFO, SO_INCOMING_NAPI_ID, SO_PEERPIDFD, TCP_INFO, TCP_TIMESTAMP, TCP_CC_INFO.
MOVING = {(1, 4), (1, 55), (1, 56), (1, 77), (6, 11), (6, 24), (6, 26)}
word = lambda *values: struct.pack('i' * len(values), *values)
VALUES = [word(value) for value in (0, 1, 2, 5, 64, 255, 1000, 100000)]
VALUES += [struct.pack('ll', 0, 1000), struct.pack('Q', 1), word(1, 0), b'reno', b'lo', bytes([7, 7, 4, 0, 0, 0, 0, 0])]
VALUES += [socket.inet_pton(socket.AF_INET6, '::1') + word(1), bytes([0, 2, 4, 0, 0, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, '::1')]
def read(level, number):
    for size in (256, 16, 8, 4, 1):
        value, length = ctypes.create_string_buffer(size), ctypes.c_uint(size)
        if libc.getsockopt(held.fileno(), level, number, value, ctypes.byref(length)) == 0: return value.raw[:length.value]
    return ctypes.get_errno()
def read_all():
    keys = [(level, number) for level in LEVELS.values() for number in NUMBERS]
    return {key: read(*key) for key in keys if key not in MOVING}
def differing(before):
    names = {level: name for name, level in LEVELS.items()}
    return ','.join(names[level] + ' ' + str(number) for (level, number), value in read_all().items() if value != before[level, number])
def bend(level, number, was):
    for value in VALUES:
        if libc.setsockopt(held.fileno(), level, number, value, len(value)) == 0 and read(level, number) != was: return
def sweep(without):
    before = read_all()
    for (level, number), was in before.items():
        if (level, number) not in without: bend(level, number, was)
    return before
befores = {}
`
