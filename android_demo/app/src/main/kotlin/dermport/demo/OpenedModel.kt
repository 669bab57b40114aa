package dermport.demo

import android.content.Context
import android.net.Uri
import android.provider.OpenableColumns
import dermport.core.Fault
import dermport.core.ModelFile
import dermport.core.Problem
import dermport.core.Storage
import java.io.File
import java.nio.ByteBuffer
import java.security.MessageDigest

/**
 * The .tflite that the app uses: the one in its assets, or one that was opened from storage.
 *
 * @property asset its name among the assets; null for one from storage, which lies at [path].
 */
class OpenedModel(
    val file: ModelFile,
    val name: String,
    val bytes: Long,
    val sha256: String,
    val asset: String?,
    val path: String?,
) {
    companion object {
        private const val ADOPTED = "model.tflite"
        private const val NAME = "model-name.txt"
        private const val MOST_BYTES = 512L * 1024 * 1024

        /** The model from storage if there is one, else the one in the assets. */
        fun current(context: Context): OpenedModel {
            val adopted = File(context.filesDir, ADOPTED)
            if (adopted.isFile) {
                val name = File(context.filesDir, NAME)
                return read(adopted.readBytes(), if (name.isFile) name.readText() else ADOPTED, null, adopted.path)
            }
            val assets = context.assets.list("").orEmpty().filter { it.endsWith(".tflite") }
            val asset = assets.singleOrNull() ?: throw Problem(
                if (assets.isEmpty()) Fault.ModelMissing else Fault.ModelNotAlone(assets.joinToString()),
            )
            return read(context.assets.open(asset).use { it.readBytes() }, asset, asset, null)
        }

        /**
         * Takes a model from storage; the one before stays if this one is none.
         *
         * @param tried runs it once, before it takes the place of the one before.
         * @throws Problem not a model of this project, one that does not run, or no room to keep it.
         */
        fun adopt(context: Context, uri: Uri, tried: (OpenedModel) -> Unit): OpenedModel {
            val name = shownName(context, uri) ?: ADOPTED
            val target = File(context.filesDir, ADOPTED)
            var content = ByteArray(0)
            Storage.replace(target) { half ->
                val large = Fault.ModelFileTooLarge(name, MOST_BYTES shr 20)
                val gone = Fault.FileGone
                ChosenFile.open(context.contentResolver, uri, gone).use { from ->
                    half.outputStream().use { to -> Storage.copy(from, to, MOST_BYTES, large, gone) }
                }
                content = half.readBytes()
                tried(read(content, name, null, half.path))
                Storage.replace(File(context.filesDir, NAME)) { it.writeText(name) }
            }
            return read(content, name, null, target.path)
        }

        /** What the phone's chooser called the file. */
        private fun shownName(context: Context, uri: Uri): String? = try {
            context.contentResolver.query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use { found ->
                if (found.moveToFirst()) found.getString(0) else null
            }
        } catch (_: RuntimeException) {
            null // another app's provider; the file may still be readable
        }

        /** Whether a model from storage is used, be it readable or not. */
        fun isAdopted(context: Context): Boolean = File(context.filesDir, ADOPTED).isFile

        /** Goes back to the model in the assets. */
        fun forget(context: Context) {
            File(context.filesDir, ADOPTED).delete()
        }

        private fun read(content: ByteArray, name: String, asset: String?, path: String?): OpenedModel {
            val file = ModelFile.read(ByteBuffer.wrap(content), name)
            val hash = MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { "%02x".format(it) }
            return OpenedModel(file, name, content.size.toLong(), hash, asset, path)
        }
    }
}
