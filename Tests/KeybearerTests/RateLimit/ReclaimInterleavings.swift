extension ReservationMachineTests {
    static let reclaims = [
        Interleaving(
            "others release, and the second look finds it",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            began 1 posted       -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:granted   -> accept a, watch a, resume 1
            """),
        Interleaving(
            "nobody else is there: refused",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            began 1 isOnlyNode   -> accept a, resume 1
            """),
        Interleaving(
            "nobody holds any: refused without a reclaim",
            """
            reserve a 1          -> fetch a
            fetched a:exhausted  -> accept a, resume 1
            """),
        Interleaving(
            "nobody holds any more: refused at the next look",
            """
            reserve a 1            -> fetch a
            fetched a:refused      -> reclaim #1 a
            began 1 posted         -> look #1 a
            looked 1 a:exhausted   -> accept a, resume 1
            """),
        Interleaving(
            "for 100 ms",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            began 1 posted       -> look #1 a
            wait 99              ->
            looked 1 a:refused   -> look #1 a
            wait 1               ->
            looked 1 a:refused   -> accept a, resume 1
            """),
        Interleaving(
            "ten times when the clock stands still",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            began 1 posted       -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> look #1 a
            looked 1 a:refused   -> accept a, resume 1
            """),
        Interleaving(
            "of several accounts: each is resumed when it has got its response",
            """
            reserve c 0                      -> fetch c
            reserve a 1                      ->
            reserve b 2                      ->
            reserve d 3                      ->
            fetched c:granted                -> accept c, watch c, resume 0, fetch a b d
            fetched a:refused b:refused d:granted -> accept d, watch d, reclaim #1 a b, resume 3
            began 1 posted                   -> look #1 a b
            looked 1 a:refused b:granted     -> accept b, watch b, resume 2, look #1 a
            looked 1 a:granted               -> accept a, watch a, resume 1
            """),
        Interleaving(
            "the other nodes cannot be asked",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            reserve a 2          ->
            began 1 failed       -> fail 1 2
            reserve a 3          -> fetch a
            fetched a:granted    -> accept a, watch a, resume 3
            """),
        Interleaving(
            "a look fails: those that got a response before keep it",
            """
            reserve c 0                    -> fetch c
            reserve a 1                    ->
            reserve b 2                    ->
            fetched c:granted              -> accept c, watch c, resume 0, fetch a b
            fetched a:refused b:refused    -> reclaim #1 a b
            began 1 posted                 -> look #1 a b
            looked 1 a:granted b:refused   -> accept a, watch a, resume 1, look #1 b
            looked 1 failed                -> fail 2
            """),
    ]

    static let besideReclaims = [
        Interleaving(
            "who reserves, at whatever step, waits with the first",
            """
            reserve a 1          -> fetch a
            fetching a:refused   -> proceed
            reserve a 2          ->
            proceed              -> reclaim #1 a
            reserve a 3          ->
            began 1 posted       -> look #1 a
            reserve a 4          ->
            looked 1 a:granted   -> accept a, watch a, resume 1 2 3 4
            """),
        Interleaving(
            "who gathered for the next batch waits for the reclaim instead",
            """
            reserve a 1                  -> fetch a
            reserve a 2                  ->
            prefetch a                   ->
            reserve b 3                  ->
            look a 4                     ->
            fetched a:refused            -> reclaim #1 a, fetch b look:a
            fetched b:granted a:seen     -> accept b, watch b, accept a, resume 3 4
            began 1 posted               -> look #1 a
            looked 1 a:granted           -> accept a, watch a, resume 1 2
            """),
        Interleaving(
            "a look and other accounts go on",
            """
            reserve a 1                  -> fetch a
            fetched a:refused            -> reclaim #1 a
            look a 2                     -> fetch look:a
            reserve b 3                  ->
            fetched a:seen               -> accept a, resume 2, fetch b
            began 1 posted               -> look #1 a
            fetched b:granted            -> accept b, watch b, resume 3
            looked 1 a:granted           -> accept a, watch a, resume 1
            """),
        Interleaving(
            "a prefetch is left out",
            """
            reserve a 1                  -> fetch a
            fetched a:refused            -> reclaim #1 a
            prefetch a                   ->
            prefetch a b                 -> fetch prefetch:b
            fetched b:granted            -> accept b, watch b
            began 1 isOnlyNode           -> accept a, resume 1
            """),
        Interleaving(
            "another account gets a reclaim of its own",
            """
            reserve a 1                  -> fetch a
            fetched a:refused            -> reclaim #1 a
            reserve b 2                  -> fetch b
            began 1 posted               -> look #1 a
            fetched b:refused            -> reclaim #2 b
            looked 1 a:refused           -> look #1 a
            began 2 posted               -> look #2 b
            looked 2 b:granted           -> accept b, watch b, resume 2
            looked 1 a:granted           -> accept a, watch a, resume 1
            """),
        Interleaving(
            "another state of an account waits for the same reclaim",
            """
            reserve b 0                  -> fetch b
            reserve a 1                  ->
            reserve a2 2                 ->
            fetched b:granted            -> accept b, watch b, resume 0, fetch a a2
            fetched a:refused a2:refused -> reclaim #1 a
            began 1 posted               -> look #1 a
            looked 1 a:granted           -> accept a, watch a, resume 1 2
            reserve a2 2                 -> fetch a2
            fetched a2:refused           -> reclaim #2 a
            began 2 isOnlyNode           -> accept a2, resume 2
            """),
        Interleaving(
            "after it an account is reserved for as before",
            """
            reserve a 1                  -> fetch a
            fetched a:refused            -> reclaim #1 a
            began 1 posted               -> look #1 a
            looked 1 a:granted           -> accept a, watch a, resume 1
            reserve a 2                  -> fetch a
            fetched a:refused            -> reclaim #2 a
            began 2 isOnlyNode           -> accept a, resume 2
            """),
    ]

    static let stops = [
        Interleaving(
            "nothing is under way",
            """
            stop s               -> resume s
            reserve a 1          -> fail 1
            look a 2             -> fail 2
            prefetch a           ->
            stop t               -> resume t
            """),
        Interleaving(
            "during a fetch: it waits for it, and for what was requested before",
            """
            reserve a 1          -> fetch a
            reserve b 2          ->
            stop s               ->
            reserve c 3          -> fail 3
            prefetch a           ->
            fetched a:granted    -> accept a, watch a, resume 1, fetch b
            fetched b:granted    -> accept b, watch b, resume 2, resume s
            """),
        Interleaving(
            "between a response and what follows",
            """
            reserve a 1          -> fetch a
            fetching a:granted   -> accept a, watch a, proceed
            stop s               ->
            proceed              -> resume 1, resume s
            """),
        Interleaving(
            "the fetch fails",
            """
            reserve a 1          -> fetch a
            stop s               ->
            fetched failed       -> fail 1, resume s
            """),
        Interleaving(
            "the fetch is refused behind it: the reclaim is waited for too",
            """
            reserve a 1          -> fetch a
            stop s               ->
            fetched a:refused    -> reclaim #1 a
            reserve a 2          -> fail 2
            began 1 posted       -> look #1 a
            looked 1 a:granted   -> accept a, watch a, resume 1, resume s
            """),
        Interleaving(
            "while the other nodes are being asked",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            stop s               ->
            began 1 isOnlyNode   -> accept a, resume 1, resume s
            """),
        Interleaving(
            "between two looks, of which the second fails",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            began 1 posted       -> look #1 a
            reserve a 2          ->
            stop s               ->
            looked 1 a:refused   -> look #1 a
            looked 1 failed      -> fail 1 2, resume s
            """),
        Interleaving(
            "beside a fetch and a reclaim, which ends first",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            reserve b 2          -> fetch b
            stop s               ->
            began 1 isOnlyNode   -> accept a, resume 1
            fetched b:granted    -> accept b, watch b, resume 2, resume s
            """),
        Interleaving(
            "beside a fetch and a reclaim, which ends last",
            """
            reserve a 1          -> fetch a
            fetched a:refused    -> reclaim #1 a
            reserve b 2          -> fetch b
            stop s               ->
            fetched b:granted    -> accept b, watch b, resume 2
            began 1 isOnlyNode   -> accept a, resume 1, resume s
            """),
        Interleaving(
            "twice",
            """
            reserve a 1          -> fetch a
            stop s               ->
            stop t               ->
            fetched a:granted    -> accept a, watch a, resume 1, resume s t
            """),
        Interleaving(
            "a batch that comes behind its end changes nothing",
            """
            reserve a 1          -> fetch a
            stop s               ->
            fetched failed       -> fail 1, resume s
            fetched a:granted    ->
            """),
    ]
}
