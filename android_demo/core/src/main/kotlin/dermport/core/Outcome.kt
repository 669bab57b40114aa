package dermport.core

/** How a piece of work ends: what a person is then to be told. */
object Outcome {
    /**
     * Does [work]; returns what is to be called afterwards, on whatever thread: [done] with its result, or
     * [failed] with a fault.
     */
    fun <T> of(work: () -> T, done: (T) -> Unit, failed: (Fault) -> Unit): () -> Unit {
        val result = try {
            work()
        } catch (error: Exception) {
            return fault(error).let { { failed(it) } }
        } catch (error: OutOfMemoryError) {
            return { failed(Fault.MemoryFull) }
        } catch (error: StackOverflowError) {
            return { failed(unexpected(error)) }
        } catch (error: LinkageError) {
            return { failed(unexpected(error)) }
        }
        return { done(result) }
    }

    /** What a person is told of an exception: a [Problem]'s own fault, or that there are no words for it. */
    fun fault(error: Exception): Fault = (error as? Problem)?.fault ?: unexpected(error)

    private fun unexpected(error: Throwable) =
        Fault.Unexpected(listOfNotNull(error.javaClass.name, error.message).joinToString(": "))
}
