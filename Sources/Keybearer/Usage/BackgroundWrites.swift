/// How the writes that nobody waits for are spread: last uses, counts, and reservations that are released.
///
/// Whoever waits for the store, such as for a reservation, comes behind the transaction that is under way and behind
/// the disk that has to take it. So a second's writes are made over the next second, a few rows at a time.
enum BackgroundWrites {
    /// How often what has gathered is written.
    static let interval: Duration = .milliseconds(100)
    /// How many rows are written in one transaction: a few while they are few, more when they would fall behind.
    static let batchSizes = 16...64

    /// Divides what is to be written; each part is a transaction of its own.
    ///
    /// - Parameter isAwaited: whether somebody waits for all of it, as for a reclaim or a stop: then it is divided into
    ///   as few as may be.
    static func batches<Element>(_ elements: [Element], isAwaited: Bool = false) -> [ArraySlice<Element>] {
        let smallest = isAwaited ? batchSizes.upperBound : batchSizes.lowerBound
        let size = min(max(elements.count / 8, smallest), batchSizes.upperBound)
        return stride(from: 0, to: elements.count, by: size).map { start in
            elements[start..<min(start + size, elements.count)]
        }
    }
}
