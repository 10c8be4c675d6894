import TestSupport
import Testing

@testable import Keybearer

/// The ``SignInThrottle``: which attempts count, and who waits for how long.
@Suite struct SignInThrottleTests {
    @Test("Five failures for an account, then each further one doubles the wait")
    func throttleByAccount() async throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for attempt in 0..<5 { try await throttle.guess(email, from: IPAddress(v4: UInt32(attempt))) }
        let refused = await #expect(throws: KeybearerError.self) {
            try await throttle.guess(email, from: IPAddress(v4: 99))
        }
        #expect(refused?.code == .rateLimited)
        #expect(refused?.retryAfter == .seconds(1))
        clock.advance(by: .seconds(1))
        try await throttle.guess(email, from: IPAddress(v4: 100))
        clock.advance(by: .seconds(1))
        await #expect(throws: KeybearerError.self) { try await throttle.guess(email, from: IPAddress(v4: 101)) }
        clock.advance(by: .seconds(1))
        try await throttle.attempt(email, from: IPAddress(v4: 102)) {}
        for _ in 0..<5 { try await throttle.guess(email, from: IPAddress(v4: 103)) }
    }

    @Test("Twenty failures from a network, whatever the account, or none; IPv6 counts by /64")
    func throttleByNetwork() async throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        for attempt in 0..<20 {
            let address = IPAddress(high: 0x2001_0db8_0000_0001, low: UInt64(attempt))
            let email = attempt % 2 == 0 ? nil : EmailAddress(normalised: "a\(attempt)@example.com")
            try await throttle.guess(email, from: address)
        }
        for email in [nil, EmailAddress(normalised: "new@example.com")] {
            await #expect(throws: KeybearerError.self) {
                try await throttle.guess(email, from: IPAddress(high: 0x2001_0db8_0000_0001, low: 77))
            }
            try await throttle.guess(email, from: IPAddress(high: 0x2001_0db8_0000_0002, low: 1))
        }
    }

    @Test("What was ours to fail is no attempt: it adds nothing, and no wait", arguments: [0, 4, 8])
    func throttleLessFaults(failures: Int) async throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for attempt in 0..<failures {
            try await throttle.guess(email, from: IPAddress(v4: UInt32(attempt)))
            clock.advance(by: .seconds(16))
        }
        for attempt in 0..<70 {
            for code in [ErrorCode.unavailable, .internalError] {
                let error = await #expect(throws: KeybearerError.self) {
                    try await throttle.attempt(email, from: Samples.address) { throw KeybearerError(code, "") }
                }
                #expect(error?.code == code, "\(attempt)")
            }
            // What a library throws, such as the hash function that finds no memory.
            await #expect(throws: NoMemory.self) {
                try await throttle.attempt(email, from: Samples.address) { throw NoMemory() }
            }
        }
        // As many as are free still are, and after them the wait is as long as it would have been.
        for _ in 0..<max(0, 5 - failures) { try await throttle.guess(email, from: Samples.address) }
        if failures == 8 { try await throttle.guess(email, from: Samples.address) }
        let refused = await #expect(throws: KeybearerError.self) {
            try await throttle.guess(email, from: Samples.address)
        }
        #expect(refused?.retryAfter == (failures == 8 ? .seconds(16) : .seconds(1)))
    }

    private struct NoMemory: Error {}

    @Test("Who leaves before the outcome is known has made an attempt")
    func throttleCancelled() async throws {
        let throttle = SignInThrottle(clocks: TestClock().clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for _ in 0..<5 {
            await #expect(throws: CancellationError.self) {
                try await throttle.attempt(email, from: Samples.address) { throw CancellationError() }
            }
        }
        let refused = await #expect(throws: KeybearerError.self) {
            try await throttle.guess(email, from: Samples.address)
        }
        #expect(refused?.code == .rateLimited)
    }

    @Test("Of many at the same time, as many pass as are free; those that are open count until their outcome is known")
    func throttleAtOnce() async throws {
        let throttle = SignInThrottle(clocks: TestClock().clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        let (held, release) = AsyncStream<Void>.makeStream()
        let (begun, begin) = AsyncStream<Void>.makeStream()
        async let group: Int = withTaskGroup(of: Bool.self) { group in
            for attempt in 0..<5 {
                group.addTask {
                    let error = await #expect(throws: KeybearerError.self) {
                        try await throttle.attempt(email, from: IPAddress(v4: UInt32(attempt))) {
                            begin.yield()
                            for await _ in held {}
                            throw KeybearerError(.unavailable, "")
                        }
                    }
                    return error?.code == .unavailable
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        var starts = begun.makeAsyncIterator()
        for _ in 0..<5 { await starts.next() }
        for attempt in 0..<65 {
            let error = await #expect(throws: KeybearerError.self) {
                try await throttle.guess(email, from: IPAddress(v4: UInt32(attempt)))
            }
            #expect(error?.code == .rateLimited)
        }
        release.finish()
        let unavailable = await group
        #expect(unavailable == 5)
        // None of them tried a password, so all five are free again.
        for _ in 0..<5 { try await throttle.guess(email, from: Samples.address) }
        await #expect(throws: KeybearerError.self) { try await throttle.guess(email, from: Samples.address) }
    }
}

extension SignInThrottle {
    /// An attempt with a wrong password.
    func guess(_ email: EmailAddress?, from address: IPAddress) async throws {
        do {
            try await attempt(email, from: address) { throw KeybearerError(.unauthorized, "") }
        } catch let error as KeybearerError where error.code == .unauthorized {}
    }
}
