// The yardstick of `ate-bench etcd`: an ordinary asynchronous client in C++ on the same C core, with one completion queue
// and one thread, that keeps a number of calls under way.
//
//   baseline ENDPOINT range|put|txn IN_FLIGHT CALLS
//
// It sends what the Swift client sends: the same messages, a deadline, and the header by which a member without a leader
// refuses at once. It prints one line of JSON with what it took.
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "etcd/rpc.grpc.pb.h"

using Clock = std::chrono::steady_clock;

namespace {

const std::string kValue(128, '\7');

// Seconds of processor time that this process has taken.
double ProcessorSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) { return time.tv_sec + time.tv_usec / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Fill(etcdserverpb::RangeRequest* request, int) { request->set_key("bench/key"); }

void Fill(etcdserverpb::PutRequest* request, int number) {
  request->set_key("bench/put/" + std::to_string(number % 1000));
  request->set_value(kValue);
}

void Fill(etcdserverpb::TxnRequest* request, int number) {
  auto* compare = request->add_compare();
  compare->set_key("bench/key");
  compare->set_target(etcdserverpb::Compare::CREATE);
  compare->set_result(etcdserverpb::Compare::GREATER);
  compare->set_create_revision(0);
  const std::string base = "bench/txn/" + std::to_string(number % 1000) + "/";
  for (int i = 0; i < 3; ++i) {
    auto* put = request->add_success()->mutable_request_put();
    put->set_key(base + std::to_string(i));
    put->set_value(kValue);
  }
}

template <typename Request, typename Response>
using Start = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (etcdserverpb::KV::Stub::*)(
    grpc::ClientContext*, const Request&, grpc::CompletionQueue*);

template <typename Request, typename Response>
struct Call {
  grpc::ClientContext context;
  grpc::Status status;
  Response response;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  Clock::time_point begun;
};

template <typename Request, typename Response>
int Run(etcdserverpb::KV::Stub* stub, Start<Request, Response> start, int in_flight, int calls) {
  grpc::CompletionQueue queue;
  int started = 0;
  auto launch = [&] {
    auto* call = new Call<Request, Response>;
    call->begun = Clock::now();
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    call->context.AddMetadata("hasleader", "true");
    Request request;
    Fill(&request, started++);
    call->reader = (stub->*start)(&call->context, request, &queue);
    call->reader->Finish(&call->response, &call->status, call);
  };
  std::vector<double> latencies;
  latencies.reserve(calls);
  const double processor = ProcessorSeconds();
  const auto begun = Clock::now();
  while (started < in_flight) launch();
  void* tag;
  bool ok;
  while (static_cast<int>(latencies.size()) < calls && queue.Next(&tag, &ok)) {
    std::unique_ptr<Call<Request, Response>> call(static_cast<Call<Request, Response>*>(tag));
    if (!call->status.ok()) {
      std::fprintf(stderr, "baseline: %s\n", call->status.error_message().c_str());
      return 1;
    }
    latencies.push_back(std::chrono::duration<double, std::micro>(Clock::now() - call->begun).count());
    if (started < calls) launch();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  const double spent = ProcessorSeconds() - processor;
  std::sort(latencies.begin(), latencies.end());
  auto quantile = [&](double share) {
    return latencies[std::min(latencies.size() - 1, static_cast<size_t>(latencies.size() * share))];
  };
  std::printf("{\"calls\":%d,\"seconds\":%.6f,\"p50Microseconds\":%.1f,\"p99Microseconds\":%.1f,\"processorSeconds\":%.6f}\n",
              calls, seconds, quantile(0.5), quantile(0.99), spent);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: baseline ENDPOINT range|put|txn IN_FLIGHT CALLS\n");
    return 2;
  }
  auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5))) {
    std::fprintf(stderr, "baseline: no connection to %s\n", argv[1]);
    return 1;
  }
  auto stub = etcdserverpb::KV::NewStub(channel);
  const std::string kind = argv[2];
  const int in_flight = std::atoi(argv[3]), calls = std::atoi(argv[4]);
  using Stub = etcdserverpb::KV::Stub;
  if (kind == "range")
    return Run<etcdserverpb::RangeRequest, etcdserverpb::RangeResponse>(stub.get(), &Stub::AsyncRange, in_flight, calls);
  if (kind == "put")
    return Run<etcdserverpb::PutRequest, etcdserverpb::PutResponse>(stub.get(), &Stub::AsyncPut, in_flight, calls);
  if (kind == "txn")
    return Run<etcdserverpb::TxnRequest, etcdserverpb::TxnResponse>(stub.get(), &Stub::AsyncTxn, in_flight, calls);
  std::fprintf(stderr, "baseline: %s: not one of range, put, txn\n", argv[2]);
  return 2;
}
