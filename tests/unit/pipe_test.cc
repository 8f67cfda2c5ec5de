#include "emulated_kernel/fd/pipe.h"

#include <sys/epoll.h>

#include <string>

#include "emulated_kernel/fd/splice.h"
#include "unit/fiber_world.h"

namespace starry {
namespace {

class PipeTest : public FiberWorld {
 protected:
  PipeTest() { pipe->add_side(true, true); }

  int64_t put(std::string s, bool nonblock = true, bool packets = false) {
    IoVec from = IoVec::kernel(s.data(), s.size());
    return value_of(pipe->write(from, nonblock, packets));
  }
  std::string get(size_t n, bool nonblock = true) {
    std::string s(n, '?');
    IoVec to = IoVec::kernel(s.data(), n);
    const Result<size_t> r = pipe->read(to, nonblock);
    if (!r.ok()) return "errno " + std::to_string(r.code());
    s.resize(r.value());
    return s;
  }

  Ref<Pipe> pipe = make_ref<Pipe>();
};

TEST_F(PipeTest, KeepsOrderAcrossPages) {
  std::string all;
  for (int round = 0; round < 50; ++round) {
    std::string in;
    for (int i = 0; i < 3000 + round * 101; ++i) in += static_cast<char>('a' + (round + i) % 26);
    EXPECT_EQ(put(in), static_cast<int64_t>(in.size()));
    all += in;
    while (pipe->bytes() > 20000) {
      const std::string out = get(7777);
      EXPECT_EQ(out, all.substr(0, 7777));
      all.erase(0, 7777);
    }
  }
  EXPECT_EQ(get(1 << 20), all);
  EXPECT_EQ(get(1), "errno 11");
  pipe->drop_side(false, true);
  EXPECT_EQ(get(1), "");
}

TEST_F(PipeTest, CountsSlotsLikeLinux) {
  EXPECT_EQ(put(std::string(65536 + 10, 'x')), 65536);
  EXPECT_EQ(put("y"), -EAGAIN);
  EXPECT_EQ(get(4095).size(), 4095u);
  EXPECT_TRUE(pipe->full());  // one byte keeps its page
  EXPECT_EQ(put("y"), -EAGAIN);
  EXPECT_EQ(get(1), "x");
  EXPECT_EQ(put(std::string(5000, 'z')), 4096);
  EXPECT_EQ(put(std::string(100, 'z')), -EAGAIN);
  // Small writes share a page, but one that does not fit begins the next.
  get(1 << 20);
  EXPECT_EQ(put(std::string(3000, 'a')), 3000);
  EXPECT_EQ(put(std::string(3000, 'b')), 3000);
  EXPECT_EQ(pipe->bytes(), 6000u);
  EXPECT_EQ(pipe->room(), 14u * 4096);
}

TEST_F(PipeTest, PacketsKeepTheirBorders) {
  EXPECT_EQ(put("hello", true, true), 5);
  EXPECT_EQ(put("wor", true, true), 3);
  EXPECT_EQ(put(std::string(5000, 'p'), true, true), 5000);
  EXPECT_EQ(get(100), "hello");
  EXPECT_EQ(get(2), "wo");  // the rest of the packet is gone
  EXPECT_EQ(get(9000).size(), 4096u);
  EXPECT_EQ(get(9000).size(), 904u);
}

TEST_F(PipeTest, BlockingWriterAndReaderTakeTurns) {
  std::string received;
  run({[&] { EXPECT_EQ(put(std::string(300'000, 'w'), false), 300'000); },
       [&] {
         while (received.size() < 300'000) received += get(10'000, false);
       }});
  EXPECT_EQ(received.size(), 300'000u);
  EXPECT_TRUE(pipe->empty());
}

TEST_F(PipeTest, OneWakeUpPerReader) {
  std::string order;
  const auto reader = [&] { order += get(1, false); };
  run({reader, reader, reader, [&] { put("abc"); }});
  EXPECT_EQ(order, "abc");
}

TEST_F(PipeTest, ResizeKeepsTheData) {
  EXPECT_EQ(put(std::string(20000, 'r') + "end"), 20003);
  EXPECT_EQ(pipe->resize(2).code(), EBUSY);
  EXPECT_TRUE(pipe->resize(8).ok());
  EXPECT_EQ(pipe->capacity(), 8u * 4096);
  EXPECT_EQ(put(std::string(40000, 's')), 3 * 4096);
  EXPECT_EQ(get(20003).substr(20000), "end");
}

TEST_F(PipeTest, TeeAndSplice) {
  auto other = make_ref<Pipe>();
  other->add_side(true, true);
  put("some data");
  EXPECT_EQ(value_of(tee_pipe(*pipe, *other, 4, true)), 4);
  EXPECT_EQ(value_of(splice_pipe_to_pipe(*pipe, *other, 5, true)), 5);
  EXPECT_EQ(get(100), "data");
  pipe.swap(other);
  EXPECT_EQ(get(100), "somesome ");
  EXPECT_EQ(value_of(splice_pipe_to_pipe(*pipe, *other, 5, true)), -EAGAIN);
}

TEST_F(PipeTest, EndsShowTheirReadiness) {
  PipeEnds ends = make_pipe(O_NONBLOCK, 1, 2);
  EXPECT_EQ(ends.reader->poll(), 0u);
  EXPECT_EQ(ends.writer->poll(), static_cast<uint32_t>(EPOLLOUT | EPOLLWRNORM));
  const Kstat st = ends.reader->stat().value();
  EXPECT_EQ(st.mode, static_cast<uint32_t>(S_IFIFO | 0600));
  EXPECT_EQ(st.ino, ends.writer->stat().value().ino);
  EXPECT_EQ(ends.reader->describe(), "pipe:[" + std::to_string(st.ino) + "]");
  ends.writer.reset();
  EXPECT_EQ(ends.reader->poll(), static_cast<uint32_t>(EPOLLHUP));
  EXPECT_EQ(value_of(get_pipe_size(*ends.reader)), 65536);
  EXPECT_EQ(value_of(set_pipe_size(*ends.reader, 5000, false)), 8192);
  EXPECT_EQ(value_of(set_pipe_size(*ends.reader, 2 << 20, false)), -EPERM);
}

class Fifo final : public PipeFile {
 public:
  using PipeFile::PipeFile;
};

TEST_F(PipeTest, FifoOpensWaitForEachOther) {
  auto p = make_ref<Pipe>();
  std::string order;
  EXPECT_EQ(make_ref<Fifo>(p, O_WRONLY | O_NONBLOCK)->open_fifo().code(), ENXIO);
  run({[&] {
         auto r = make_ref<Fifo>(p, O_RDONLY);
         EXPECT_TRUE(r->open_fifo().ok());
         order += 'r';
       },
       [&] {
         order += 'w';
         auto w = make_ref<Fifo>(p, O_WRONLY);
         EXPECT_TRUE(w->open_fifo().ok());
       }});
  EXPECT_EQ(order, "wr");
  auto r = make_ref<Fifo>(p, O_RDONLY | O_NONBLOCK);
  EXPECT_TRUE(r->open_fifo().ok());
  EXPECT_EQ(r->poll(), 0u);  // no hang-up before the first writer
  EXPECT_TRUE(make_ref<Fifo>(p, O_WRONLY)->open_fifo().ok());
  EXPECT_EQ(r->poll(), static_cast<uint32_t>(EPOLLHUP));
}

}  // namespace
}  // namespace starry
