package dermport.demo

import android.content.ContentResolver
import android.net.Uri
import dermport.core.Fault
import dermport.core.Problem
import java.io.IOException
import java.io.InputStream

/** A file that the phone's chooser gave; another app hands out its bytes. */
object ChosenFile {
    /**
     * Opens the file; whatever its app throws is a [Problem].
     *
     * @param gone of which it is then.
     */
    fun open(resolver: ContentResolver, uri: Uri, gone: Fault): InputStream = try {
        resolver.openInputStream(uri) ?: throw Problem(gone)
    } catch (error: IOException) {
        throw Problem(gone, error)
    } catch (error: RuntimeException) {
        throw Problem(gone, error) // also what the other app threw, which Android passes on
    }
}
