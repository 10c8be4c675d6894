import AsyncHTTPClient

/// Posts the same body again and again and prints how many requests a second succeeded.
///
///     PostBenchmark URL COUNT CONCURRENCY BODY
@main
struct PostBenchmark {
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let count = Int(arguments[2]), let concurrency = Int(arguments[3]) else {
            throw Problem(description: "usage: PostBenchmark URL COUNT CONCURRENCY BODY")
        }
        let (url, body) = (arguments[1], arguments[4])
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = concurrency
        configuration.httpVersion = .http1Only
        let client = HTTPClient(configuration: configuration)
        let clock = ContinuousClock()
        let begun = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for place in 0..<concurrency {
                group.addTask {
                    for _ in stride(from: place, to: count, by: concurrency) {
                        try await post(body, to: url, by: client)
                    }
                }
            }
            try await group.waitForAll()
        }
        try await client.shutdown()
        print(Double(count) / (begun.duration(to: clock.now) / .seconds(1)))
    }

    private static func post(_ body: String, to url: String, by client: HTTPClient) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(.init(string: body))
        let response = try await client.execute(request, timeout: .seconds(30))
        guard (200..<300).contains(response.status.code) else {
            throw Problem(description: "the receiver answers \(response.status)")
        }
        for try await _ in response.body {}
    }
}
