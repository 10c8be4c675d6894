/*
 * The revocation fence of docs/revocation.md.
 *
 * The property: once the answer to a change has been given, no request that starts after that is decided by what was
 * before the change. It is the assertion in `decide`.
 *
 * Whatever can be late is a step of its own, and any step can wait for ever while the clock goes on. So a pause of a
 * process at any point, a slow or lost answer, a store out of reach, and hints that are lost, late or in another order
 * are all among the runs. README.md says what is left out and why that is sound.
 *
 * Each MUTANT_… takes one precaution away, and each CLAIM claims that something never happens. `run` expects all of
 * them to be contradicted.
 */

#ifndef NODES
#define NODES 2     /* the requests of the first are watched; all nodes are alike */
#endif
#ifndef CHANGES
#define CHANGES 2   /* changes, all of one key */
#endif
#ifndef LEASE
#define LEASE 1     /* ticks that a node believes its memory, on its own clock */
#endif
#ifndef DRIFT
#define DRIFT 1     /* ticks that a node's clock can fall behind a waiter's within one lease */
#endif

/* Ticks that a waiter waits, on its own clock. */
#if defined(MUTANT_NO_ALLOWANCE)
#define WAIT LEASE
#elif defined(MUTANT_EXPEL_AT_ONCE)
#define WAIT 0
#else
#define WAIT (LEASE + DRIFT)
#endif

/* Values of CLAIM. */
#define ANSWERED_BY_ACKNOWLEDGEMENT 1
#define ANSWERED_BY_TIME            2
#define ANSWERED_BESIDE_OWN_NODE    3
#define REPLAY_ANSWERED             4
#define NEW_KEY_PASSES              5
#define LEASE_AFTER_PAUSE           6
#define LEASE_AFTER_EXPULSION       7
#define LATE_READ_DROPPED           8
#define HISTORY_NOTICED             9
#define NUMBER_USED_AGAIN           10
#define LOST_KEY_PASSES             11

#ifdef CLAIM
#define NEVER(what, condition) assert(CLAIM != what || !(condition))
#define NOTE(what, condition)  what = (what || (condition))
bool isReplayed;
bool isExpelled;
#else
#define NEVER(what, condition) skip
#define NOTE(what, condition)  skip
#endif

/* ---- The store ----
 *
 * Change m makes version m of the key. m is also its random mark, so a position is written as m alone: its number is
 * number[m]. 0 is the position before all changes.
 */
byte newest;                    /* the locked counter: the newest change */
byte number[CHANGES + 1];       /* the numbers of all changes, also of lost ones */
bool lost[CHANGES + 1];         /* the changes that a failover took back */
byte safe;                      /* the newest change that the standby has */
byte row[NODES];                /* the nodes' rows: 0 for none, or 1 + the number that was acknowledged */

/* The version that a read of the key finds. A change takes its number in its own transaction, so it is the newest. */
#if defined(MUTANT_NUMBER_AFTER_COMMIT) || defined(MUTANT_NUMBER_FROM_SEQUENCE)
#define HAS_STANDBY false
byte stored;
byte drawn;
#else
#define HAS_STANDBY true
#define stored newest
#endif

/* The standby is synchronous: a change, and what was written behind it, is answered only when the standby has it. */
#ifdef MUTANT_ASYNCHRONOUS_STANDBY
#define IS_ON_STANDBY(m) true
byte since[NODES];              /* the position that the node was registered at */
#else
#define IS_ON_STANDBY(m) (number[m] <= number[safe])
#endif

#ifdef MUTANT_NUMBER_WITHOUT_MARK
#define IS_OF_HISTORY(m) (number[m] <= number[newest])
#define IS_NEWEST(m)     (number[m] == number[newest])
#else
#define IS_OF_HISTORY(m) (!lost[m])
#define IS_NEWEST(m)     (m == newest)
#endif

/* The store renews a lease only if what the node has applied is the newest. */
#ifdef MUTANT_RENEW_WITHOUT_NUMBER
#define MAY_RENEW(m) true
#else
#define MAY_RENEW(m) IS_NEWEST(m)
#endif

/* ---- The nodes ---- */
#define OFF           0         /* no id, and what is remembered is not believed */
#define REGISTERING   1         /* has asked to be registered */
#define REGISTERED    2         /* has a row; the answer is on its way */
#define STANDING      3         /* has emptied its memory and stands at the position of the answer */
#define ON            4         /* has an id; whether it believes its memory is for the lease to say */
#define LOOKED        5         /* the store has answered which changes there are; they are not applied yet */
#define RENEWING      6         /* has asked for a renewal */
#define RENEWED       7         /* has been renewed; the answer is on its way */

#define HAS_ASKED(n) (phase[n] != OFF && phase[n] != ON && phase[n] != LOOKED)

byte phase[NODES];
byte position[NODES];           /* the last change that it applied */
byte sent[NODES];               /* the position in a question or an answer that is on its way */

/* What the first node knows for itself alone. It decides requests and nothing else, so that of others is left out. */
byte age;                       /* ticks since it asked */
byte left;                      /* ticks until its lease ends, 0: it believes nothing */
byte memory;                    /* 0 for nothing, or 1 + the version of the key */
byte reading;                   /* a read under way: 0 for none, BEGUN, or FOUND + the version that it found */
#define BEGUN 1
#define FOUND 2
bool moved;                     /* whether the generation moved since that read began */

/* A read is shared only while the generation is the one that it began with. */
#ifdef MUTANT_SHARE_WITHOUT_GENERATION
#define MAY_SHARE true
#else
#define MAY_SHARE (!moved)
#endif

/* ---- The changes ---- */
#define PLANNED       0
#define PREPARED      1         /* (mutants) something was done before the commit */
#define UNNUMBERED    2         /* (mutant) committed without a number */
#define COMMITTED     3         /* committed; the answer to the commit is on its way */
#define WAITING       4         /* waits for the nodes */
#define DONE          5         /* answered, or lost */

byte stage[CHANGES + 1];
byte waited[CHANGES + 1];       /* ticks since the wait began */
byte own[CHANGES + 1];          /* 1 + the node that makes the change and has applied it, 0: a command makes it */
bool condemned[(CHANGES + 1) * NODES];  /* rows that the waiter has asked the store to remove */
#define CONDEMNED(m, n) condemned[(m) * NODES + (n)]

/* The changes are alike: m says in which order they are committed. */
#define IS_TURN_OF(m) (m == 1 || stage[m - 1] > PREPARED)

/* Whether a tick counts as waited for. */
#ifdef MUTANT_WAIT_FROM_BEFORE_COMMIT
#define IS_TIMED(m) (stage[m] == PLANNED || stage[m] == COMMITTED || stage[m] == WAITING)
#else
#define IS_TIMED(m) (stage[m] == WAITING)
#endif

/* Whether the waiter looks at the node's row at all. */
#ifdef MUTANT_NODES_LISTED_EARLY
bool listed[(CHANGES + 1) * NODES];
#define LISTED(m, n) listed[(m) * NODES + (n)]
#else
#define LISTED(m, n) true
#endif

/* A node without a row holds no lease. One that has acknowledged the number has applied the change. */
#define NEED_NOT_WAIT_FOR(n, m) (row[n] == 0 || row[n] > number[m] || own[m] == 1 + n || !LISTED(m, n))
#if NODES == 1
#define NEED_NOT_WAIT(m) NEED_NOT_WAIT_FOR(0, m)
#elif NODES == 2
#define NEED_NOT_WAIT(m) (NEED_NOT_WAIT_FOR(0, m) && NEED_NOT_WAIT_FOR(1, m))
#elif NODES == 3
#define NEED_NOT_WAIT(m) (NEED_NOT_WAIT_FOR(0, m) && NEED_NOT_WAIT_FOR(1, m) && NEED_NOT_WAIT_FOR(2, m))
#endif

/* ---- The request that is watched ---- */
#define NOBODY        0
#define EARLY         1         /* (mutant) the clock has been read, the last byte has not */
#define ADMITTED      2         /* started, and found that the node holds its lease */
#define SHARING       3         /* waits for the read under way */

byte request;
byte answered;                  /* the newest version whose change was answered */
byte due;                       /* what `answered` was when the request started */

/* THE PROPERTY. */
inline decide(version) {
    assert(version >= due);
    request = NOBODY; due = 0
}

/* Loops inside one step. */
hidden byte i;
hidden byte k;

/* ---- What nodes do ---- */

/* Memory drops the key, and the generation moves. */
inline forgetNow(n) {
    if
    :: n == 0 -> memory = 0; moved = (reading > 0)
    :: else
    fi
}

#ifdef MUTANT_ACKNOWLEDGE_FIRST
bool isToForget;
inline forget(n) { isToForget = (isToForget || n == 0) }
#else
inline forget(n) { forgetNow(n) }
#endif

/* The node believes nothing until it has registered again, under another id. Its row goes as well: one that stayed
 * would only make waiters wait longer. */
inline giveUp(n) {
    for (i : 1 .. CHANGES) {
        CONDEMNED(i, n) = false;
        if
        :: own[i] == 1 + n -> own[i] = 0
        :: else
        fi
    }
    phase[n] = OFF; row[n] = 0; position[n] = 0; sent[n] = 0;
    if
    :: n == 0 ->
        left = 0; age = 0;
#ifdef MUTANT_CLOCK_READ_EARLY
        /* It would notice this when it compares its reading. */
        if
        :: request == EARLY -> request = NOBODY
        :: else
        fi
#endif
    :: else
    fi
}

/* Applies the changes up to m. What was applied before is ignored. */
inline apply(n, m) {
    if
    :: number[m] > number[position[n]] -> position[n] = m; forget(n)
    :: else
    fi
}

/* The node has its answer, or waits for it no longer. */
inline arrive(n) {
    phase[n] = ON; sent[n] = 0;
    if
    :: n == 0 -> age = 0
    :: else
    fi
}

/* A lease is counted from before it was asked for. The node's clock falls behind by `slow` ticks while it lasts. */
inline believe(n, slow) {
#ifdef MUTANT_LEASE_FROM_ANSWER
    age = 0;
#endif
    if
    :: n == 0 && LEASE + slow > age + left -> left = LEASE + slow - age
    :: else
    fi;
    arrive(n)
}

proctype Fence(byte n) {
    do
    /* Registering: first the row, then memory is emptied, then it can be filled and believed. */
    :: d_step { phase[n] == OFF -> phase[n] = REGISTERING }
    :: d_step {
        phase[n] == REGISTERING && IS_ON_STANDBY(newest) ->
        phase[n] = REGISTERED; row[n] = 1 + number[newest]; sent[n] = newest;
#ifdef MUTANT_ASYNCHRONOUS_STANDBY
        since[n] = newest
#endif
       }
    :: d_step {
        phase[n] == REGISTERED ->
        phase[n] = (n == 0 -> STANDING : ON); position[n] = sent[n]; sent[n] = 0;
#if defined(MUTANT_READ_BEFORE_REGISTRATION)
        if
        :: n == 0 -> memory = 0
        :: else
        fi
#elif !defined(MUTANT_REGISTER_WITH_MEMORY)
        forgetNow(n)
#endif
       }
    :: d_step { phase[n] == STANDING -> believe(n, 0) }
    :: d_step { phase[n] == STANDING -> believe(n, DRIFT) }

    /* Looking for changes, because of a hint or without one. The step between is left out for unwatched nodes. */
    :: d_step {
        phase[n] == ON && position[n] != newest && IS_OF_HISTORY(position[n]) ->
        if
        :: n == 0 -> phase[n] = LOOKED; sent[n] = newest
        :: else -> apply(n, newest)
        fi
       }
    :: d_step { phase[n] == LOOKED -> apply(n, sent[n]); arrive(n) }
    :: d_step { phase[n] == ON && !IS_OF_HISTORY(position[n]) -> NEVER(HISTORY_NOTICED, true); giveUp(n) }
#ifdef MUTANT_ACKNOWLEDGE_FIRST
    :: d_step { n == 0 && isToForget -> isToForget = false; forgetNow(n) }
#endif

    /* Renewing, which is acknowledging. */
    :: d_step { phase[n] == ON -> phase[n] = RENEWING; sent[n] = position[n] }
    :: d_step {
        phase[n] == RENEWING && row[n] > 0 && IS_ON_STANDBY(newest) && MAY_RENEW(sent[n]) ->
        phase[n] = RENEWED; row[n] = 1 + number[newest]
       }
    :: d_step { phase[n] == RENEWING && (row[n] == 0 || !IS_OF_HISTORY(sent[n])) -> giveUp(n) }
    :: d_step {
        phase[n] == RENEWED ->
        NEVER(LEASE_AFTER_PAUSE, n == 0 && left == 0 && age < LEASE);
        believe(n, 0)
       }
    :: d_step { phase[n] == RENEWED && n == 0 -> believe(n, DRIFT) }

    /* The answer is lost, or says that there are changes to apply first. */
    :: d_step { phase[n] > ON -> arrive(n) }
    /* The lease has run out, the node stops, or the answer to a registration is lost. */
    :: d_step { phase[n] != OFF -> giveUp(n) }
    /* A crash. The next process remembers nothing. */
    :: d_step {
        n == 0 && (memory > 0 || reading > 0) ->
        giveUp(n); memory = 0; reading = 0; moved = false; request = NOBODY; due = 0
       }
    od
}

/* Reads of the key by requests of the first node. They can begin before a change and end after it. */
proctype Reads() {
    do
    :: d_step { reading == 0 -> reading = BEGUN }
    :: d_step { reading == BEGUN -> reading = FOUND + stored }
    :: d_step {
        reading >= FOUND ->
        if
#ifndef MUTANT_REMEMBER_WITHOUT_GENERATION
        :: moved -> NEVER(LATE_READ_DROPPED, true)
#endif
        :: else -> memory = reading - FOUND + 1
        fi;
        if
        :: request == SHARING -> decide(reading - FOUND)
        :: else
        fi;
        reading = 0; moved = false
       }
    /* The answer is lost. */
    :: d_step {
        reading > 0 ->
        reading = 0; moved = false;
        if
        :: request == SHARING -> request = NOBODY; due = 0
        :: else
        fi
       }
    /* Memory is full: another key takes the place. */
    :: d_step { memory > 0 -> memory = 0 }
    od
}

/* One request of the first node at a time, since none changes what another is decided by. */
proctype Request() {
    do
#ifdef MUTANT_CLOCK_READ_EARLY
    :: d_step { request == NOBODY && left > 0 -> request = EARLY }
    :: d_step { request == EARLY && answered > 0 -> request = ADMITTED; due = answered }
#else
    /* Its last byte has been read, then the clock. */
    :: d_step { request == NOBODY && answered > 0 && left > 0 -> request = ADMITTED; due = answered }
#endif
    :: d_step {
        request == ADMITTED && memory > 0 ->
        NEVER(NEW_KEY_PASSES, memory - 1 == CHANGES);
        NEVER(LEASE_AFTER_EXPULSION, memory - 1 == CHANGES && isExpelled);
        NEVER(LOST_KEY_PASSES, lost[memory - 1]);
        decide(memory - 1)
       }
    :: d_step { request == ADMITTED && memory == 0 && reading > 0 && MAY_SHARE -> request = SHARING }
    /* A read of its own, beside the one that must not be shared. */
    :: d_step {
        request == ADMITTED && memory == 0 && reading > 0 && moved ->
        request = SHARING; reading = BEGUN; moved = false
       }
    od
}

/* ---- What those do who make a change ---- */

/* A node applies its own change immediately and is not waited for then. It compares the mark too: the number alone can
 * be that of a lost change. */
inline settle(m, n) {
    if
#ifdef MUTANT_SETTLE_BY_NUMBER
    :: number[position[n]] >= number[m] -> own[m] = 1 + n
    :: number[position[n]] < number[m] && !IS_OF_HISTORY(position[n]) -> giveUp(n)
#else
    :: !IS_OF_HISTORY(position[n]) -> giveUp(n)
#endif
    :: else -> apply(n, newest); own[m] = 1 + n
    fi
}

/* Removes a row, unless the node has acknowledged meanwhile. */
inline expel(m, n) {
    CONDEMNED(m, n) = false;
    if
#ifdef MUTANT_EXPEL_ANYWAY
    :: row[n] > 0 ->
#else
    :: row[n] > 0 && row[n] <= number[m] ->
#endif
        row[n] = 0; NOTE(isExpelled, n == 0)
    :: else
    fi
}

inline answer(m) {
    NEVER(REPLAY_ANSWERED, isReplayed);
    stage[m] = DONE; waited[m] = 0; own[m] = 0;
    if
    :: m > answered -> answered = m
    :: else
    fi
}

proctype Change(byte m) {
    do
    /* One transaction, the number with it, under the lock of the counter. */
#if defined(MUTANT_NUMBER_AFTER_COMMIT)
    :: d_step { stage[m] == PLANNED && IS_TURN_OF(m) -> stage[m] = UNNUMBERED; stored = m }
    :: d_step {
        stage[m] == UNNUMBERED ->
        stage[m] = COMMITTED; number[m] = number[newest] + 1; newest = m; safe = m
       }
    /* The process dies. The replay finds that the change is made, and no number to wait for. */
    :: d_step { stage[m] == UNNUMBERED -> stage[m] = WAITING }
#elif defined(MUTANT_NUMBER_FROM_SEQUENCE)
    :: d_step { stage[m] == PLANNED -> stage[m] = PREPARED; drawn++; number[m] = drawn }
    :: d_step {
        stage[m] == PREPARED && IS_TURN_OF(m) ->
        stage[m] = COMMITTED; stored = m;
        if
        :: number[m] > number[newest] -> newest = m; safe = m
        :: else
        fi
       }
#else
#ifdef MUTANT_NODES_LISTED_EARLY
    :: d_step {
        stage[m] == PLANNED ->
        for (i : 0 .. NODES - 1) { LISTED(m, i) = (row[i] > 0) }
        stage[m] = PREPARED
       }
    :: d_step {
        stage[m] == PREPARED && IS_TURN_OF(m) ->
#else
    :: d_step {
        stage[m] == PLANNED && IS_TURN_OF(m) ->
#endif
        NEVER(NUMBER_USED_AGAIN, m > 1 && lost[m - 1] && number[m - 1] == number[newest] + 1);
        stage[m] = COMMITTED; number[m] = number[newest] + 1; newest = m
       }
#endif

    /* The commit is answered, and the wait begins. */
    :: d_step { stage[m] == COMMITTED && !lost[m] && IS_ON_STANDBY(m) -> stage[m] = WAITING }
    :: d_step { stage[m] == WAITING && own[m] == 0 && phase[0] >= STANDING -> settle(m, 0) }
#if NODES > 1
    :: d_step { stage[m] == WAITING && own[m] == 0 && phase[1] >= STANDING -> settle(m, 1) }
#endif
#if NODES > 2
    :: d_step { stage[m] == WAITING && own[m] == 0 && phase[2] >= STANDING -> settle(m, 2) }
#endif
#ifdef MUTANT_LEASE_REVIVED
    /* The node cannot read its own change and gives up its lease, but not the one that it is about to take. */
    :: d_step { stage[m] == WAITING && own[m] == 0 && phase[0] == STANDING -> left = 0; own[m] = 1 }
#endif

    /* The rows are read. */
    :: d_step {
        stage[m] == WAITING && NEED_NOT_WAIT(m) ->
        NEVER(ANSWERED_BY_ACKNOWLEDGEMENT, own[m] == 0 && row[0] > number[m] && waited[m] == 0);
        NEVER(ANSWERED_BESIDE_OWN_NODE, own[m] > 0 && row[own[m] - 1] <= number[m]);
        answer(m)
       }
    /* No lease from before the commit holds any more. Nodes that are still behind are removed, and whether the store
     * can be asked for that makes no difference to the answer. */
    :: d_step {
        stage[m] == WAITING && waited[m] >= WAIT ->
        for (i : 0 .. NODES - 1) { CONDEMNED(m, i) = !NEED_NOT_WAIT_FOR(i, m) }
        NEVER(ANSWERED_BY_TIME, CONDEMNED(m, 0));
        answer(m)
       }
    :: d_step { CONDEMNED(m, 0) -> expel(m, 0) }
#if NODES > 1
    :: d_step { CONDEMNED(m, 1) -> expel(m, 1) }
#endif
#if NODES > 2
    :: d_step { CONDEMNED(m, 2) -> expel(m, 2) }
#endif

    /* Whoever makes the change dies, or its answer is lost. A replay finds the change and waits for it from the
     * beginning. A change that nobody asks for again is one that waits for ever. */
    :: d_step {
        stage[m] == WAITING ->
        NOTE(isReplayed, true);
#ifdef MUTANT_REPLAY_AT_ONCE
        answer(m)
#else
        waited[m] = 0; own[m] = 0
#endif
       }
    od
}

/* ---- Time, and what becomes of the store ---- */

inline wait() {
    for (i : 1 .. CHANGES) {
        if
        :: IS_TIMED(i) && waited[i] < WAIT -> waited[i]++
        :: else
        fi
    }
}

proctype Clock() {
    do
    :: d_step {
        true -> wait();
        if
        :: left > 0 -> left--
        :: else
        fi;
        if
        :: HAS_ASKED(0) && age < LEASE + DRIFT -> age++
        :: else
        fi
       }
#ifdef MUTANT_CLOCK_STANDS_STILL
    /* The node is suspended, and its clock does not count that. */
    :: d_step { true -> wait(); skip }
#endif
    od
}

proctype Standby() {
    do
    :: d_step { safe != newest -> safe = newest }
    /* A failover: the standby's history goes on. What it does not have is lost, and was seen by those who read it. */
    :: d_step {
        HAS_STANDBY && safe != newest ->
        for (i : 1 .. CHANGES) {
            if
            :: number[i] > number[safe] && !lost[i] -> lost[i] = true; stage[i] = DONE; waited[i] = 0; own[i] = 0
            :: else
            fi
        }
        newest = safe;
#ifdef MUTANT_ASYNCHRONOUS_STANDBY
        for (k : 0 .. NODES - 1) {
            if
            :: lost[since[k]] -> row[k] = 0
            :: !lost[since[k]] && row[k] > 1 + number[safe] -> row[k] = 1 + number[safe]
            :: else
            fi
        }
        /* What was promised for a lost change is not kept. What is promised from now on should be. */
        answered = 0;
        for (i : 1 .. CHANGES) {
            if
            :: stage[i] == DONE && !lost[i] -> answered = i
            :: else
            fi
        }
        request = NOBODY; due = 0
#endif
       }
    od
}

init {
    atomic {
        for (k : 0 .. NODES - 1) { run Fence(k) }
        for (k : 1 .. CHANGES) { run Change(k) }
        run Reads();
        run Request();
        run Standby();
        run Clock()
    }
}
