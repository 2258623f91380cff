/// What is to happen when, in the order of time and then of addition.
struct EventQueue {
    struct Event {
        var time: Duration
        var number: Int
        var action: () -> Void
    }

    /// A binary heap, the next one at the root.
    private var heap: [Event] = []
    /// That the next event to be added gets.
    private(set) var nextNumber = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func add(at time: Duration, _ action: @escaping () -> Void) {
        heap.append(Event(time: time, number: nextNumber, action: action))
        nextNumber += 1
        siftUp(heap.count - 1)
    }

    /// The next one, if it is due at `time` and was added before the event of that number.
    mutating func takeNext(at time: Duration, before number: Int) -> Event? {
        guard let first = heap.first, first.time <= time, first.number < number else { return nil }
        return takeNext()
    }

    mutating func takeNext() -> Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        return first
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].number) < (heap[right].time, heap[right].number)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0, case let parent = (child - 1) / 2, precedes(child, parent) {
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var first = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, first) {
                first = child
            }
            if first == parent { return }
            heap.swapAt(first, parent)
            parent = first
        }
    }
}
