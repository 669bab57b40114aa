package dermport.core

import java.io.File
import java.io.IOException
import java.io.OutputStream

/**
 * The app's own copy of a model that was opened from storage.
 *
 * One renaming puts another model in its place. What it is called stands in a file that is named after its
 * content, so that whenever the app ends, no model goes by another one's name.
 */
class ModelShelf(private val folder: File) {
    private val place = File(folder, MODEL)

    /** A model on the shelf: its bytes, what the phone called its file, and where it lies. */
    class Kept(val content: ByteArray, val name: String, val sha256: String, val path: String)

    val isEmpty: Boolean get() = !place.isFile

    /**
     * The model that lies there; null if none does.
     *
     * @throws Problem it cannot be read.
     */
    fun read(): Kept? {
        Storage.dropHalf(place) // the app may have ended while it took another one
        if (isEmpty) return null
        try {
            val content = place.readBytes()
            val hash = Sha256.of(content)
            val named = named(hash)
            return Kept(content, if (named.isFile) named.readText() else MODEL, hash, place.path)
        } catch (error: IOException) {
            throw Problem(Fault.ModelDamaged(MODEL), error)
        }
    }

    /**
     * Puts a model in the place of the one before, which stays if anything fails.
     *
     * @param name what the phone called its file.
     * @param write writes its bytes.
     * @param tried runs it once where it lies for the time being.
     * @throws Problem there is no room; whatever else [write] and [tried] throw goes on.
     */
    fun replace(name: String, write: (OutputStream) -> Unit, tried: (Kept) -> Unit): Kept {
        var kept: Kept? = null
        try {
            Storage.replace(place) { half ->
                half.outputStream().use(write)
                val content = half.readBytes()
                val hash = Sha256.of(content)
                Storage.replace(named(hash)) { it.writeText(name) }
                tried(Kept(content, name, hash, half.path))
                kept = Kept(content, name, hash, place.path)
            }
        } finally {
            dropOtherNames()
        }
        return checkNotNull(kept)
    }

    /**
     * Takes the model away once there is [another] to use; it stays where that ends in an exception.
     *
     * @throws Problem it cannot be taken away.
     */
    fun <T> clearFor(another: () -> T): T {
        val found = another()
        if (!place.delete() && !isEmpty) throw Problem(Fault.StorageFull)
        dropOtherNames()
        return found
    }

    private fun dropOtherNames() {
        val own = try {
            if (isEmpty) null else named(Sha256.of(place.readBytes()))
        } catch (_: IOException) {
            return // whose name is whose is not known; the next model that can be read tidies up
        }
        folder.listFiles().orEmpty().filter { it.name.startsWith(NAME) && it != own }.forEach { it.delete() }
    }

    private fun named(hash: String) = File(folder, "$NAME$hash.txt")

    companion object {
        private const val MODEL = "model.tflite"
        private const val NAME = "model-name-"
    }
}
