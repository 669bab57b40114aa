package dermport.demo

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import android.net.Uri
import dermport.core.Fault
import dermport.core.Orientation
import dermport.core.PictureFile
import dermport.core.Problem
import dermport.core.Storage
import java.io.ByteArrayOutputStream
import kotlin.math.max
import kotlin.math.min

/**
 * A decoded picture, as it is stored, and how it lies.
 *
 * @property cut whether only the part in the guide ring is left.
 */
class Photo(val bitmap: Bitmap, val orientation: Orientation, val cut: Boolean) {
    /** A small upright copy to look at, at most [side] pixels wide and high. */
    fun preview(side: Int): Bitmap {
        val share = min(1f, side.toFloat() / max(bitmap.width, bitmap.height))
        val matrix = Matrix()
        // a picture much wider than high, or the other way round, keeps one pixel
        matrix.postScale(max(share, 1f / bitmap.width), max(share, 1f / bitmap.height))
        if (orientation.transposed) {
            // x and y change places; the mirroring below is that of the upright picture
            matrix.postConcat(Matrix().apply { setValues(floatArrayOf(0f, 1f, 0f, 1f, 0f, 0f, 0f, 0f, 1f)) })
        }
        matrix.postScale(if (orientation.mirrorX) -1f else 1f, if (orientation.mirrorY) -1f else 1f)
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, matrix, true)
    }

    companion object {
        private const val MOST_BYTES = 256L * 1024 * 1024

        /** The bytes behind an address that another app gave. */
        fun bytes(resolver: ContentResolver, uri: Uri): ByteArray {
            val content = ByteArrayOutputStream()
            val large = Fault.PictureFileTooLarge(MOST_BYTES shr 20)
            val gone = Fault.PictureGone
            ChosenFile.open(resolver, uri, gone).use { Storage.copy(it, content, MOST_BYTES, large, gone) }
            return content.toByteArray()
        }

        /**
         * Decodes a picture; with [ring], keeps only the square around its middle whose side is that
         * part of the short side.
         *
         * @throws Problem it is not a whole picture of a known kind.
         */
        fun decode(content: ByteArray, ring: Double?): Photo {
            val head = PictureFile.read(content)
            val options = BitmapFactory.Options().apply {
                inSampleSize = head.sampleSize
                inPreferredConfig = Bitmap.Config.ARGB_8888
                inPremultiplied = true
            }
            val bitmap = BitmapFactory.decodeByteArray(content, 0, content.size, options)
                ?: throw Problem(Fault.PictureNotDecoded)
            if (ring == null) return Photo(bitmap, head.orientation, cut = false)
            val side = max(1, (min(bitmap.width, bitmap.height) * ring).toInt())
            val cut = Bitmap.createBitmap(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side)
            return Photo(cut, head.orientation, cut = true)
        }
    }
}
