-- Posts the body in the file named by the environment's BENCH_BODY, and prints the outcome as one line of JSON.
local file = assert(io.open(os.getenv("BENCH_BODY")))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY")

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        'outcome {"requests": %d, "failed": %d, "requests_per_s": %.0f, "p50_ms": %.3f, "p99_ms": %.3f}\n',
        summary.requests, failed, summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
