import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ConnectionLife``: how long a connection may stay as it is.
@Suite struct ConnectionLifeTests {
    private static let limits = ConnectionLife.Limits(
        handshake: .seconds(10), head: .seconds(9), request: .seconds(60), idle: .seconds(30), linger: .seconds(1),
        readingAtStop: .seconds(2))

    private static func life(isEncrypted: Bool = false) -> ConnectionLife {
        ConnectionLife(limits: limits, isEncrypted: isEncrypted)
    }

    /// The time after which something is done, in half seconds, and what.
    private static func next(_ life: ConnectionLife, within halves: Int = 200) -> (at: Int, ConnectionLife.Action)? {
        var life = life
        for half in 1...halves {
            let action = life.passed(.milliseconds(500))
            if action != .none { return (half, action) }
        }
        return nil
    }

    @Test("Each stage has its limit, and ends at it")
    func stages() {
        var life = Self.life(isEncrypted: true)
        #expect(Self.next(life)! == (20, .abort), "the handshake")
        life.finishedHandshake()
        #expect(Self.next(life)! == (60, .close), "idle")
        life.readPartOfHead()
        #expect(Self.next(life)! == (18, .close), "a head")
        life.beganRequest()
        #expect(Self.next(life)! == (120, .abort), "a request")
        life.readRequest()
        #expect(Self.next(life)! == (120, .abort), "an answer")
        #expect(life.requestWithResponse() == .none)
        #expect(Self.next(life)! == (60, .close), "idle again")
        life.beginClosing()
        #expect(Self.next(life)! == (120, .abort), "writing the last answer")
        life.beginLingering()
        #expect(Self.next(life)! == (2, .abort), "lingering")
    }

    @Test("Bytes that complete nothing prolong nothing", arguments: [false, true])
    func dripping(isEncrypted: Bool) {
        var life = Self.life(isEncrypted: isEncrypted)
        var halves = 0
        while halves < 1_000 {
            life.readPartOfHead()
            halves += 1
            if life.passed(.milliseconds(500)) != .none { break }
        }
        #expect(halves == (isEncrypted ? 20 : 18))
    }

    @Test("HTTP/2: a part of a frame has the time of a head, frames prolong no idleness, and a stop leaves a moment")
    func http2() {
        var life = Self.life(isEncrypted: true)
        life.finishedHandshake()
        life.beganHTTP2()
        #expect(Self.next(life)! == (18, .close), "no preface")
        life.readFrame()
        #expect(Self.next(life)! == (60, .close), "idle")
        var halves = 0
        while life.passed(.milliseconds(500)) == .none {
            halves += 1
            life.readPartOfFrame()
            life.readFrame()
        }
        #expect(halves == 59, "frames without a request")
        var stopping = Self.life()
        stopping.beganHTTP2()
        stopping.readFrame()
        #expect(stopping.stop() == .none)
        #expect(Self.next(stopping)! == (1, .close))
        stopping.beganRequest()
        stopping.readRequest()
        #expect(stopping.requestWithResponse() == .none)
        #expect(Self.next(stopping)! == (1, .close))
    }

    @Test("Requests of one connection share its time until one of them is answered")
    func pipelined() {
        var life = Self.life()
        for _ in 0..<3 {
            life.beganRequest()
            life.readRequest()
            #expect(life.passed(.seconds(15)) == .none)
        }
        #expect(Self.next(life)! == (30, .abort))
        #expect(life.requestWithResponse() == .none)
        #expect(life.stage == .busy)
        #expect(Self.next(life)! == (120, .abort))
    }

    @Test("A stop ends what waits, lets responses be sent, and waits two seconds for what is still being read")
    func stop() {
        var silent = Self.life(isEncrypted: true)
        #expect(silent.stop() == .abort)
        var idle = Self.life()
        #expect(idle.stop() == .close)
        var part = Self.life()
        part.readPartOfHead()
        #expect(part.stop() == .abort)
        var responding = Self.life()
        responding.beganRequest()
        responding.readRequest()
        #expect(responding.stop() == .none)
        #expect(responding.stop() == .none)
        #expect(Self.next(responding)! == (120, .abort))
        #expect(responding.requestWithResponse() == .close)
        var reading = Self.life()
        reading.beganRequest()
        #expect(reading.stop() == .none)
        #expect(Self.next(reading)! == (4, .abort))
        // One of two was read whole: it is answered, and then the other is not waited for.
        reading.beganRequest()
        reading.readRequest()
        #expect(Self.next(reading)! == (120, .abort))
        #expect(reading.requestWithResponse() == .none)
        #expect(Self.next(reading)! == (4, .abort))
    }

    @Test("Whatever happens in whatever order, silence ends every connection within the longest limit")
    func anyOrder() {
        let random = RandomSource.seeded(17)
        for _ in 0..<2_000 {
            var life = Self.life(isEncrypted: random.below(2) == 0)
            for _ in 0..<random.below(30) {
                switch random.below(13) {
                case 0: life.finishedHandshake()
                case 1: life.readPartOfHead()
                case 2: life.beganRequest()
                case 3: life.readRequest()
                case 4: _ = life.requestWithResponse(wasRead: random.below(2) == 0)
                case 5: life.respondedImmediately(hasPart: random.below(2) == 0)
                case 6: _ = life.passed(.milliseconds(random.below(2_000)))
                case 7: life.beganHTTP2()
                case 8: life.readFrame()
                case 9: life.readPartOfFrame()
                case 10: if random.below(4) == 0 { life.beginClosing() }
                case 11: if random.below(4) == 0 { life.beginLingering() }
                default: if random.below(10) == 0 { _ = life.stop() }
                }
                #expect(life.unread >= 0 && life.requests >= 0)
            }
            #expect(Self.next(life, within: 122) != nil, "\(life)")
        }
    }

    @Test("The tick keeps the shortest limit to a quarter, and is no burden")
    func tick() {
        #expect(Self.limits.tick == .milliseconds(250))
        #expect(ConnectionLife.Limits(linger: .seconds(100), readingAtStop: .seconds(100)).tick == .milliseconds(500))
        #expect(ConnectionLife.Limits(idle: .milliseconds(20)).tick == .milliseconds(10))
    }
}
