/* Signals that the keeper is sent, for the broker. A stop does not wait: without a broker the keeper ends. */
#include "keeper.h"

#include <errno.h>
#include <signal.h>

static bool stops(int32_t signal)
{
  return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
}

static void wait_for_next(struct keeper *keeper, int32_t signal)
{
  keeper->waiting_signals |= UINT64_C(1) << signal;
}

static int tell(struct keeper *keeper, int32_t signal)
{
  keeper->broker.told_signal = signal;
  return wire_send(keeper->broker.fd, OP_SIGNAL, &signal, sizeof signal, NULL, 0);
}

void signals_pass_on(struct keeper *keeper, int32_t signal)
{
  bool stop = stops(signal);
  if (stop && keeper->broker.pid <= 0)
    life_end(keeper, 128 + signal);
  if (stop)
    keeper->stop_signal = signal;
  else if (!keeper->broker.serving)
    return wait_for_next(keeper, signal);
  int status = tell(keeper, signal);
  if (status < 0)
    kill(keeper->broker.pid, signal);
  /* It has ended, and was not waited for yet. */
  if (status < 0 && status != -EAGAIN && !stop)
    wait_for_next(keeper, signal);
}

void signals_hand_over(struct keeper *keeper)
{
  uint64_t waiting = keeper->waiting_signals;
  keeper->waiting_signals = 0;
  for (int32_t signal = 1; signal < 64; signal++) {
    if (waiting >> signal & 1 && tell(keeper, signal) < 0)
      wait_for_next(keeper, signal);
  }
}

/* Of packets that were not read the last one is one. */
void signals_outlive(struct keeper *keeper, const struct child *was)
{
  if (was->unheard && was->told_signal)
    wait_for_next(keeper, was->told_signal);
}
