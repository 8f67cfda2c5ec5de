// 200 threads: condition variables, thread-local storage with destructors, futures, semaphores, call_once.
#include <pthread.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

constexpr int N = 200;

static std::atomic<int> destroyed{0};

struct Local {
  int value = -1;
  std::string text;
  ~Local() { ++destroyed; }
};
static thread_local Local local;
static thread_local int plain = 7;

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t limit) : limit_(limit) {}
  void push(T v) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [&] { return items_.size() < limit_; });
    items_.push_back(std::move(v));
    not_empty_.notify_one();
  }
  T pop() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return !items_.empty(); });
    T v = std::move(items_.front());
    items_.pop_front();
    not_full_.notify_one();
    return v;
  }

 private:
  const size_t limit_;
  std::mutex mutex_;
  std::condition_variable not_empty_, not_full_;
  std::deque<T> items_;
};

static void run(int n, auto&& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) threads.emplace_back(body, i);
  for (auto& t : threads) t.join();
}

static void turns() {  // each thread waits for its own turn: the order is exact
  std::mutex mutex;
  std::condition_variable changed;
  int turn = 0;
  std::vector<int> order;
  run(N, [&](int i) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return turn == N - 1 - i; });
    order.push_back(i);
    ++turn;
    changed.notify_all();
  });
  bool reversed = true;
  for (int i = 0; i < N; ++i) reversed = reversed && order[static_cast<size_t>(i)] == N - 1 - i;
  std::printf("turns: %zu, reversed %d\n", order.size(), reversed);
}

static void thread_locals() {
  std::atomic<int> right{0};
  std::latch all(N);
  run(N, [&](int i) {
    local.value = i;
    local.text = std::string(100, static_cast<char>('a' + i % 26));
    plain += i;
    all.arrive_and_wait();  // all 200 live at once
    if (local.value == i && plain == 7 + i && local.text[99] == 'a' + i % 26) ++right;
  });
  std::printf("thread_local: %d right, %d destroyed, main's %d\n", right.load(), destroyed.load(), plain);
}

static void producers_and_consumers() {
  BoundedQueue<int> queue(16);
  std::atomic<long> sum{0};
  run(N, [&](int i) {
    if (i % 2 == 0) {
      for (int k = 0; k < 50; ++k) queue.push(i * 50 + k);
    } else {
      for (int k = 0; k < 50; ++k) sum += queue.pop();
    }
  });
  std::printf("queue: sum %ld\n", sum.load());
}

static void futures() {
  std::vector<std::future<long>> results;
  for (int i = 0; i < N; ++i)
    results.push_back(std::async(std::launch::async, [i]() -> long {
      if (i % 50 == 49) throw std::runtime_error("at " + std::to_string(i));
      std::vector<long> v(static_cast<size_t>(i) + 1);
      std::iota(v.begin(), v.end(), 0);
      return std::accumulate(v.begin(), v.end(), 0L);
    }));
  long total = 0;
  for (auto& r : results) try {
      total += r.get();
    } catch (const std::exception& e) {
      std::printf("future: %s\n", e.what());
    }
  std::promise<int> promise;
  std::shared_future<int> shared = promise.get_future().share();
  std::atomic<int> seen{0};
  std::thread setter([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    promise.set_value(3);
  });
  run(20, [&](int) { seen += shared.get(); });
  setter.join();
  std::printf(
      "futures: %ld, shared %d, timed out %d\n", total, seen.load(),
      std::promise<int>().get_future().wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout);
}

static void other_primitives() {
  std::counting_semaphore<5> semaphore(5);
  std::barrier barrier(N);
  std::once_flag once;
  std::shared_mutex rw;
  std::recursive_mutex recursive;
  std::atomic<int> inside{0}, most{0}, calls{0}, word{0};
  int written = 0, nested = 0;
  run(N, [&](int i) {
    std::call_once(once, [&] { ++calls; });
    barrier.arrive_and_wait();
    semaphore.acquire();
    const int now = ++inside;
    for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {
    }
    std::this_thread::yield();
    --inside;
    semaphore.release();
    if (i % 10 == 0) {
      std::unique_lock lock(rw);
      ++written;
    } else {
      std::shared_lock lock(rw);
      if (written > N) std::abort();
    }
    {
      std::scoped_lock a(recursive);
      std::scoped_lock b(recursive);
      ++nested;
    }
    ++word;
    word.notify_all();
    for (int w = word; w < N; w = word) word.wait(w);
    barrier.arrive_and_wait();
  });
  std::printf("most inside <= 5: %d, once %d, written %d, nested %d, word %d\n", most <= 5, calls.load(),
              written, nested, word.load());
}

static void timeouts_and_stops() {
  std::mutex mutex;
  std::condition_variable_any any;
  std::condition_variable never;
  std::atomic<int> timed_out{0}, stopped{0};
  run(50, [&](int) {
    std::unique_lock lock(mutex);
    if (never.wait_for(lock, std::chrono::milliseconds(20), [] { return false; }) == false) ++timed_out;
  });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 50; ++i)
      threads.emplace_back([&](std::stop_token stop) {
        std::unique_lock lock(mutex);
        any.wait(lock, stop, [] { return false; });
        ++stopped;
      });
  }
  std::printf("timed out %d, stopped %d\n", timed_out.load(), stopped.load());
}

static void cancel_and_names() {
  static std::atomic<int> cleaned{0};
  std::vector<pthread_t> threads(20);
  for (auto& t : threads)
    pthread_create(
        &t, nullptr,
        [](void*) -> void* {
          pthread_cleanup_push([](void*) { ++cleaned; }, nullptr);
          for (;;) std::this_thread::sleep_for(std::chrono::seconds(10));
          pthread_cleanup_pop(0);
          return nullptr;
        },
        nullptr);
  int cancelled = 0;
  for (auto t : threads) {
    pthread_cancel(t);
    void* result;
    pthread_join(t, &result);
    cancelled += result == PTHREAD_CANCELED;
  }
  char name[16] = "";
  std::thread named([&] {
    pthread_setname_np(pthread_self(), "a thread's name");
    pthread_getname_np(pthread_self(), name, sizeof name);
  });
  named.join();
  std::printf("cancelled %d, cleaned up %d, name \"%s\"\n", cancelled, cleaned.load(), name);
}

int main() {
  turns();
  thread_locals();
  producers_and_consumers();
  futures();
  other_primitives();
  timeouts_and_stops();
  cancel_and_names();
  return 0;
}
