import Testing

@testable import Keybearer

/// What is under way at the store, and what comes between.
struct Interleaving: Sendable, CustomTestStringConvertible {
    let name: String
    let script: String
    var testDescription: String { name }

    init(_ name: String, _ script: String) {
        self.name = name
        self.script = script
    }
}

/// The ``ReservationMachine`` and each ``PendingQuotaRequest``, in each order of what happens at the same time.
@Suite struct ReservationMachineTests {
    @Test("Requests beside a batch that is under way", arguments: batches)
    func batch(_ interleaving: Interleaving) { play(interleaving) }

    @Test("A look beside a reservation of the same account", arguments: looks)
    func look(_ interleaving: Interleaving) { play(interleaving) }

    @Test("A prefetch beside a request of the same account", arguments: prefetches)
    func prefetch(_ interleaving: Interleaving) { play(interleaving) }

    @Test("A store that fails, with several waiters", arguments: failures)
    func failure(_ interleaving: Interleaving) { play(interleaving) }

    @Test("A reclaim, from its beginning to its end", arguments: reclaims)
    func reclaim(_ interleaving: Interleaving) { play(interleaving) }

    @Test("Requests beside a reclaim", arguments: besideReclaims)
    func besideReclaim(_ interleaving: Interleaving) { play(interleaving) }

    @Test("A stop beside what is under way", arguments: stops)
    func stop(_ interleaving: Interleaving) { play(interleaving) }

    private func play(_ interleaving: Interleaving) {
        var script = ReservationScript()
        script.play(interleaving.script)
    }
}

extension ReservationMachineTests {
    static let batches = [
        Interleaving(
            "alone",
            """
            reserve a 1         -> fetch a
            fetched a:granted   -> accept a, watch a, resume 1
            """),
        Interleaving(
            "those that come meanwhile gather for the next batch, each account once",
            """
            reserve a 1                    -> fetch a
            reserve a 2                    ->
            reserve b 3                    ->
            reserve a 4                    ->
            fetched a:granted              -> accept a, watch a, resume 1, fetch a b
            fetched a:unneeded b:granted   -> accept b, watch b, resume 2 4 3
            """),
        Interleaving(
            "one that comes after the response, before the next batch",
            """
            reserve a 1          -> fetch a
            fetching a:granted   -> accept a, watch a, proceed
            reserve a 2          ->
            reserve b 3          ->
            proceed              -> resume 1, fetch a b
            fetched a:unneeded b:exhausted -> accept b, resume 2 3
            """),
        Interleaving(
            "the same account with another limit decides again",
            """
            reserve b 0           -> fetch b
            reserve a 1 40        ->
            reserve a 2 20        ->
            fetched b:granted     -> accept b, watch b, resume 0, fetch a
            fetched a:granted     -> accept a, watch a, resume 2 1
            """),
        Interleaving(
            "two states of one account are two requests",
            """
            reserve b 0                     -> fetch b
            reserve a 1                     ->
            reserve a2 2                    ->
            fetched b:granted               -> accept b, watch b, resume 0, fetch a a2
            fetched a:granted a2:granted    -> accept a, watch a, accept a2, watch a2, resume 1 2
            """),
        Interleaving(
            "an account that needs nothing any more",
            """
            reserve a 1           -> fetch a
            fetched a:unneeded    -> resume 1
            """),
        Interleaving(
            "a response that nobody expects",
            """
            fetched a:granted     ->
            proceed               ->
            began 1 posted        ->
            looked 1 a:granted    ->
            """),
    ]

    static let looks = [
        Interleaving(
            "reserve, then look, in one batch",
            """
            reserve b 0          -> fetch b
            reserve a 1          ->
            look a 2             ->
            fetched b:granted    -> accept b, watch b, resume 0, fetch a
            fetched a:granted    -> accept a, watch a, resume 2 1
            """),
        Interleaving(
            "look, then reserve, in one batch",
            """
            reserve b 0          -> fetch b
            look a 1             ->
            reserve a 2          ->
            fetched b:granted    -> accept b, watch b, resume 0, fetch look:a
            fetched a:seen       -> accept a, resume 2 1
            """),
        Interleaving(
            "look while a reservation is under way",
            """
            reserve a 1          -> fetch a
            look a 2             ->
            fetched a:granted    -> accept a, watch a, resume 1, fetch look:a
            fetched a:unneeded   -> resume 2
            """),
        Interleaving(
            "reserve while a look is under way",
            """
            look a 1             -> fetch look:a
            reserve a 2          ->
            fetched a:seen       -> accept a, resume 1, fetch a
            fetched a:granted    -> accept a, watch a, resume 2
            """),
        Interleaving(
            "two looks are one",
            """
            reserve b 0          -> fetch b
            look a 1             ->
            look a 2             ->
            fetched b:granted    -> accept b, watch b, resume 0, fetch look:a
            fetched a:seen       -> accept a, resume 1 2
            """),
    ]

    static let prefetches = [
        Interleaving(
            "prefetch, then reserve: somebody waits for it",
            """
            reserve b 0          -> fetch b
            prefetch a           ->
            reserve a 1          ->
            fetched b:granted    -> accept b, watch b, resume 0, fetch a
            fetched a:granted    -> accept a, watch a, resume 1
            """),
        Interleaving(
            "reserve, then prefetch: it adds nothing",
            """
            reserve b 0          -> fetch b
            reserve a 1          ->
            prefetch a c         ->
            fetched b:granted    -> accept b, watch b, resume 0, fetch a prefetch:c
            fetched a:granted c:granted -> accept a, watch a, accept c, watch c, resume 1
            """),
        Interleaving(
            "reserve while a prefetch is under way",
            """
            prefetch a           -> fetch prefetch:a
            reserve a 1          ->
            fetched a:granted    -> accept a, watch a, fetch a
            fetched a:unneeded   -> resume 1
            """),
        Interleaving(
            "prefetch while a reservation is under way",
            """
            reserve a 1          -> fetch a
            prefetch a a         ->
            fetched a:granted    -> accept a, watch a, resume 1, fetch prefetch:a
            fetched a:unneeded   ->
            """),
        Interleaving(
            "a prefetch that is refused reclaims nothing",
            """
            prefetch a           -> fetch prefetch:a
            fetched a:refused    -> accept a
            """),
        Interleaving(
            "a prefetch that fails troubles nobody",
            """
            prefetch a           -> fetch prefetch:a
            fetched failed       ->
            reserve a 1          -> fetch a
            fetched a:granted    -> accept a, watch a, resume 1
            """),
    ]

    static let failures = [
        Interleaving(
            "all of the batch fail, those behind it are fetched",
            """
            reserve b 0          -> fetch b
            reserve a 1          ->
            reserve a 2          ->
            look a 3             ->
            reserve c 4          ->
            fetched b:granted    -> accept b, watch b, resume 0, fetch a c
            reserve a 5          ->
            fetched failed       -> fail 1 2 4 3, fetch a
            fetched a:granted    -> accept a, watch a, resume 5
            """),
        Interleaving(
            "twice in a row",
            """
            reserve a 1          -> fetch a
            reserve a 2          ->
            fetched failed       -> fail 1, fetch a
            fetched failed       -> fail 2
            """),
    ]
}
