/* The broker's start, its death, and what follows. */
#include "keeper.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* This many deaths within this time are a crash loop. */
#define DEATHS 5
#define DEATHS_WITHIN_MS 10000
#define DELAY_FIRST_MS 250
#define DELAY_MOST_MS 5000

static int64_t deaths[DEATHS];
static int64_t delay;

_Noreturn void life_end(struct keeper *keeper, int status)
{
  child_kill(&keeper->candidate);
  child_kill(&keeper->retiring);
  _exit(status);
}

void life_start(struct keeper *keeper)
{
  struct hello hello = {
    .role = keeper->deaths == 0 ? ROLE_FIRST : ROLE_AGAIN,
    .last_pid = keeper->last_pid,
    .last_status = keeper->last_status,
    .deaths = keeper->deaths,
  };
  int status = child_spawn(&keeper->broker, keeper->argv + 1, &hello);
  if (status == 0)
    return;
  say("the broker cannot be started, and is tried again", strerror(-status));
  keeper->start_at = now_ms() + DELAY_MOST_MS;
}

/* At once, unless it dies again and again; a life of some length ends the series. */
static void start_later(struct keeper *keeper, int64_t lived)
{
  int64_t now = now_ms();
  memmove(deaths, deaths + 1, sizeof deaths - sizeof *deaths);
  deaths[DEATHS - 1] = now;
  bool many = deaths[0] != 0 && now - deaths[0] <= DEATHS_WITHIN_MS;
  if (!many && (delay == 0 || lived >= DEATHS_WITHIN_MS))
    delay = 0;
  else
    delay = delay == 0 ? DELAY_FIRST_MS : delay * 2 > DELAY_MOST_MS ? DELAY_MOST_MS : delay * 2;
  keeper->start_at = now + delay;
}

static void broker_died(struct keeper *keeper, const struct child *was, int status)
{
  if (was->ending || !keeper->served || keeper->stop_signal)
    life_end(keeper, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  keeper->last_pid = was->pid;
  keeper->last_status = status;
  keeper->deaths++;
  signals_outlive(keeper, was);
  keeper->prepared = keeper->frozen = keeper->upgrade_due = keeper->take_due = false;
  keeper->candidate.ending = true;
  child_kill(&keeper->candidate);
  start_later(keeper, now_ms() - was->started);
  if (delay > 0) {
    char text[96];
    snprintf(text, sizeof text, "the broker dies again and again: the next start is in %lld ms", (long long)delay);
    say(text, "");
  }
}

static void candidate_died(struct keeper *keeper, const struct child *was, int status)
{
  char how[64], why[128];
  if (was->ending || keeper->broker.pid <= 0)
    return;
  child_describe(status, how, sizeof how);
  snprintf(why, sizeof why, "the new broker %s before it was %s", how, keeper->prepared ? "ready" : "prepared");
  serve_upgrade_failed(keeper, why);
}

static struct child *child_of(struct keeper *keeper, pid_t pid)
{
  if (pid == keeper->broker.pid)
    return &keeper->broker;
  if (pid == keeper->candidate.pid)
    return &keeper->candidate;
  return pid == keeper->retiring.pid ? &keeper->retiring : NULL;
}

static void buried(struct keeper *keeper, pid_t pid, int status)
{
  struct child *child = child_of(keeper, pid);
  if (!child)
    return;
  serve_packets(keeper, child);
  /* What it said last may have made it the broker, or another. */
  child = child_of(keeper, pid);
  struct child was = *child;
  if (child->fd >= 0)
    close(child->fd);
  *child = (struct child){.fd = -1};
  if (child == &keeper->broker)
    broker_died(keeper, &was, status);
  else if (child == &keeper->candidate)
    candidate_died(keeper, &was, status);
}

/* Also children that are not ours: as a container's process 1 the keeper inherits orphans. */
void life_reap(struct keeper *keeper)
{
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    buried(keeper, pid, status);
}
