package dermport.demo

import android.content.Context
import android.net.Uri
import android.provider.OpenableColumns
import dermport.core.Fault
import dermport.core.ModelFile
import dermport.core.ModelShelf
import dermport.core.Problem
import dermport.core.Sha256
import dermport.core.Storage
import java.nio.ByteBuffer

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
        private const val UNNAMED = "model.tflite"
        private const val MOST_BYTES = 512L * 1024 * 1024

        /** The model from storage if there is one, else the one in the assets. */
        fun current(context: Context): OpenedModel = shelf(context).read()?.let { opened(it) } ?: shipped(context)

        /**
         * Takes a model from storage; the one before stays if this one is none.
         *
         * @param tried runs it once, before it takes the place of the one before.
         * @throws Problem not a model of this project, one that does not run, or no room to keep it.
         */
        fun adopt(context: Context, uri: Uri, tried: (OpenedModel) -> Unit): OpenedModel {
            val name = shownName(context, uri) ?: UNNAMED
            val large = Fault.ModelFileTooLarge(name, MOST_BYTES shr 20)
            val gone = Fault.FileGone
            val kept = shelf(context).replace(
                name,
                { to ->
                    ChosenFile.open(context.contentResolver, uri, gone)
                        .use { from -> Storage.copy(from, to, MOST_BYTES, large, gone) }
                },
                { tried(opened(it)) },
            )
            return opened(kept)
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
        fun isAdopted(context: Context): Boolean = !shelf(context).isEmpty

        /** Goes back to the model in the assets; the one from storage stays where there is none. */
        fun forget(context: Context): OpenedModel = shelf(context).clearFor { shipped(context) }

        private fun shelf(context: Context) = ModelShelf(context.filesDir)

        private fun shipped(context: Context): OpenedModel {
            val assets = context.assets.list("").orEmpty().filter { it.endsWith(".tflite") }
            val asset = assets.singleOrNull() ?: throw Problem(
                if (assets.isEmpty()) Fault.ModelMissing else Fault.ModelNotAlone(assets.joinToString()),
            )
            val content = context.assets.open(asset).use { it.readBytes() }
            val file = ModelFile.read(ByteBuffer.wrap(content), asset)
            return OpenedModel(file, asset, content.size.toLong(), Sha256.of(content), asset, null)
        }

        private fun opened(kept: ModelShelf.Kept): OpenedModel {
            val file = ModelFile.read(ByteBuffer.wrap(kept.content), kept.name)
            return OpenedModel(file, kept.name, kept.content.size.toLong(), kept.sha256, null, kept.path)
        }
    }
}
