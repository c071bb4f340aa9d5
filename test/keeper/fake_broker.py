# A broker that the keeper starts: it does what SCENARIO says, by the number of its life, and knows no code of the project.
import array, os, random, signal, socket, struct, sys, time

keeper = socket.socket(fileno=int(os.environ['FD_BROKER_KEEPER']))
keeper.settimeout(20)

def receive():
    data, ancillary, flags, _ = keeper.recvmsg(4096, socket.CMSG_SPACE(253 * 4))
    fds = array.array('i')
    for level, kind, body in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(body[: len(body) - len(body) % 4])
    assert data, 'the keeper has ended'
    return data[:1], data[1:], list(fds)

def send(op, payload=b'', fds=()):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
    keeper.sendmsg([op + payload], ancillary)

def kept():
    send(b'G')
    found, faults = {}, []
    while True:
        op, body, fds = receive()
        if op == b'E':
            return found, faults
        if op == b'K':
            found[body] = len(fds)
            for fd in fds:
                os.close(fd)
        elif op == b'R':
            faults.append((struct.unpack('<i', body[:4])[0], body[4:]))

def keeper_fds():
    return len(os.listdir(f'/proc/{os.getppid()}/fd'))

def finish(status=0):
    send(b'X')
    os._exit(status)

op, body, _ = receive()
assert op == b'H'
role, last_pid, last_status, deaths = struct.unpack('<4i', body)
null = os.open('/dev/null', os.O_RDONLY)

def malformed():
    kept()  # the keeper has done what it does at its start
    before = keeper_fds()
    numbers = random.Random(7)
    for op in range(256):
        if bytes([op]) not in (b'P', b'D', b'G', b'X', b'U'):
            send(bytes([op]), numbers.randbytes(numbers.randrange(40)), [null] * numbers.randrange(4))
    send(b'P')
    send(b'P', b'key without a descriptor')
    send(b'P', b'', [null])
    send(b'P', b'k' * 289, [null])
    send(b'P', b'k' * 1023, [null])
    send(b'P', b'k' * 1024, [null])
    send(b'P', b'k' * 60000, [null] * 253)
    send(b'D')
    send(b'D', b'never put')
    send(b'P', b'k' * 288, [null])
    send(b'P', b'\0\xff', [null] * 253)
    found, faults = kept()
    assert found == {b'k' * 288: 1, b'\0\xff': 253}, found
    assert len(faults) > 200, len(faults)
    send(b'P', b'\0\xff', [null])
    send(b'D', b'k' * 288)
    assert kept()[0] == {b'\0\xff': 1}
    assert keeper_fds() == before + 1, (before, keeper_fds())
    finish()

def random_packets():
    before = keeper_fds()
    numbers = random.Random(11)
    model = {}
    for _ in range(5000):
        op = numbers.choice([b'P', b'P', b'D', b'G', b'L', b'z', b'r', b'A', b'n', b'?'])
        key = numbers.choice([b'', b'a', b'web#0', b'.state', numbers.randbytes(numbers.randrange(300))])
        count = numbers.choice([0, 1, 1, 2, 30])
        if op == b'G':
            found, _ = kept()
            assert found == model, (found, model)
        else:
            send(op, key, [null] * count)
        if op == b'P' and 0 < len(key) <= 288 and count:
            model[key] = count
        elif op == b'D':
            model.pop(key, None)
    assert kept()[0] == model
    assert keeper_fds() == before + sum(model.values())
    finish()

def full():
    for number in range(200):
        send(b'P', b'%d' % number, [null])
    found, faults = kept()
    assert 0 < len(found) < 100 and {error for error, _ in faults} == {24}, (len(found), faults[:3])
    assert len(found) + len(faults) == 200
    for key in found:
        send(b'D', key)
    send(b'P', b'again', [null])
    assert kept()[0] == {b'again': 1}
    finish()

def last_words():
    if deaths == 0:
        send(b'S')
        for number in range(20000):
            send(b'P', b'counter', [null] * (1 + number % 3))
        send(b'P', b'last', [null] * 7)
        os.kill(os.getpid(), signal.SIGKILL)
    assert (role, last_status) == (1, 9), (role, last_status)
    assert kept()[0] == {b'counter': 2, b'last': 7}
    finish(3)

def dies_while_it_takes():
    if deaths == 0:
        send(b'S')
        for number in range(500):
            send(b'P', b'%d' % number, [null] * 3)
        send(b'P', b'end', [null])
    if deaths < 3:
        send(b'G')
        os.kill(os.getpid(), signal.SIGKILL)
    assert len(kept()[0]) == 501
    finish()

def signals_that_wait():
    parent = os.getppid()
    if deaths == 0:
        send(b'S')
        for number in (signal.SIGHUP, signal.SIGUSR1):
            os.kill(parent, number)
            assert receive()[1] == struct.pack('<i', number)
        # Sent to it, and never read; what it said meanwhile counts all the same.
        os.kill(parent, signal.SIGHUP)
        time.sleep(0.2)
        send(b'P', b'last', [null])
        broker = os.getpid()
        alone, closed = os.pipe()
        if os.fork() == 0:
            keeper.close()
            os.close(closed)
            while os.getppid() == broker:
                time.sleep(0.001)
            os.kill(parent, signal.SIGWINCH)
            os._exit(0)
        # The keeper's socket has no other owner.
        os.close(closed)
        os.read(alone, 1)
        os.kill(broker, signal.SIGKILL)
    if deaths == 1:
        # One that dies before it serves has heard of none.
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    os.kill(parent, signal.SIGUSR2)
    time.sleep(0.1)
    assert kept() == ({b'last': 1}, [])
    send(b'S')
    for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGWINCH):
        assert receive()[:2] == (b's', struct.pack('<i', number)), number
    finish(4)

def candidate():
    if role == 2:
        # Nothing of this has an effect before it is the broker.
        for op in (b'P', b'D', b'L', b'S', b'X', b'U', b'z', b'A', b'r', b'?'):
            send(op, b'mine', [null])
        send(b'p', b'/nonexistent/keeper\0' + b'9' * 100)
        if os.path.exists(os.environ['FLAG']):
            assert receive()[0] in (b'R', b't')
            send(b'n', b'no')
            time.sleep(30)
        while receive()[0] != b't':
            pass
        found, faults = kept()
        assert b'mine' in found and found[b'mine'] == 2, found
        send(b'r')
        while receive()[0] != b'c':
            pass
        time.sleep(0.2)
        send(b'P', b'now', [null])
        assert kept()[0][b'now'] == 1
        finish(5)
    send(b'S')
    send(b'P', b'mine', [null] * 2)
    open(os.environ['FLAG'], 'w').close()
    send(b'U')
    send(b'U')
    heard = [receive() for _ in range(3)]
    while not any(op == b'p' for op, _, _ in heard):
        heard.append(receive())
    send(b'z')
    while not any(body == b'no' for _, body, _ in heard):
        heard.append(receive())
    assert kept()[0] == {b'mine': 2}
    os.unlink(os.environ['FLAG'])
    # The candidate that refused may not be buried yet.
    send(b'U')
    while receive()[0] != b'p':
        pass
    send(b'z')
    while receive()[0] != b'c':
        pass
    send(b'D', b'mine')
    os._exit(0)

def follows():
    keys = [b'k%d' % number for number in range(8)]
    if role == 2:
        model, _ = kept()
        send(b'p', b'/nonexistent/keeper\0' + b'9')
        # More changes than its socket has room for, if it does not read: then it is told that it has to ask again.
        late = os.environ['SCENARIO'] == 'follows_too_late'
        time.sleep(2 if late else 0)
        changes = 0
        while True:
            op, body, fds = receive()
            for fd in fds:
                os.close(fd)
            if op == b'K':
                model[body] = len(fds)
            elif op == b'g':
                del model[body]
            elif op == b't':
                break
            changes += 1
        now, _ = kept()
        assert changes > 50 and body == (b'\0' if late else b'\1'), (changes, body)
        assert late or model == now, (model, now)
        send(b'r')
        while receive()[0] != b'c':
            pass
        finish(6)
    send(b'S')
    numbers = random.Random(5)
    for key in keys:
        send(b'P', key, [null])
    send(b'U')
    while receive()[0] != b'p':
        pass
    # As many as its socket holds, so that it may stand still, or more.
    for _ in range(2000 if os.environ['SCENARIO'] == 'follows_too_late' else 200):
        key = numbers.choice(keys)
        if numbers.randrange(3):
            send(b'P', key, [null] * numbers.randrange(1, 4))
        else:
            send(b'D', key)
        time.sleep(0.0005)
    send(b'z')
    op = b''
    while op != b'c':
        op, why, _ = receive()
        assert op != b'f', why
    os._exit(0)

follows_too_late = follows

def passed():
    found, _ = kept()
    assert found == {b'.listen/0/web': 1, b'.listen/1/': 1}, found
    assert 'LISTEN_FDS' not in os.environ and 'LISTEN_PID' not in os.environ
    finish()

globals()[os.environ['SCENARIO']]()
