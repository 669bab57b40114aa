package dermport.demo

import android.Manifest
import android.app.Activity
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Matrix
import android.graphics.RectF
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraManager
import android.hardware.display.DisplayManager
import android.os.Bundle
import android.view.Surface
import android.view.TextureView
import android.view.View
import android.widget.Button
import android.widget.TextView
import dermport.core.CameraStep
import dermport.core.Fault
import dermport.core.Hint

/** The camera with its guide ring and hints. */
class CameraActivity : Activity(), TextureView.SurfaceTextureListener, DisplayManager.DisplayListener {
    private lateinit var preview: TextureView
    private lateinit var frame: PreviewFrame
    private lateinit var guide: GuideView
    private lateinit var guideText: TextView
    private lateinit var hint: TextView
    private lateinit var shoot: Button
    private lateinit var gallery: Button
    private var session: CameraSession? = null
    private var told: Hint? = null
    private var asked = false
    private var shooting = false
    private var inFront = false

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.camera)
        Recents.hide(this)
        SystemBars.keepClear(findViewById(R.id.screen) as View)
        preview = findViewById(R.id.preview) as TextureView
        frame = findViewById(R.id.frame) as PreviewFrame
        guide = findViewById(R.id.guide) as GuideView
        guideText = findViewById(R.id.guide_text) as TextView
        hint = findViewById(R.id.hint) as TextView
        shoot = findViewById(R.id.shoot) as Button
        gallery = findViewById(R.id.choose_picture) as Button
        asked = savedInstanceState?.getBoolean(ASKED) ?: false
        preview.surfaceTextureListener = this
        shoot.setOnClickListener {
            shooting = true // one picture a tap, though the next frame follows at once
            shoot.isEnabled = false
            session?.shoot(-phoneTurn())
        }
        gallery.setOnClickListener {
            if (!PictureChooser.choose(this, PictureChooser.PICTURE)) hint.text = Words.of(resources, Fault.ChooserMissing)
        }
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putBoolean(ASKED, asked)
    }

    override fun onResume() {
        super.onResume()
        inFront = true
        displays().registerDisplayListener(this, null)
        if (!CameraSession.isThere(cameras())) return refused(R.string.camera_missing)
        when (CameraStep.next(granted(), asked)) {
            CameraStep.OPEN -> {
                hint.text = ""
                frame.visibility = View.VISIBLE
                gallery.visibility = View.GONE
                shoot.visibility = View.VISIBLE
                guideText.visibility = View.VISIBLE
                if (preview.isAvailable) preview.surfaceTexture?.let { open(it) }
            }
            CameraStep.ASK -> {
                asked = true
                requestPermissions(arrayOf(Manifest.permission.CAMERA), 0)
            }
            CameraStep.EXPLAIN -> refused(R.string.camera_refused)
        }
    }

    private fun granted() = checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    override fun onPause() {
        super.onPause()
        inFront = false
        displays().unregisterDisplayListener(this)
        session?.close()
        session = null
        told = null
        shoot.isEnabled = false
    }

    private fun displays() = getSystemService(Context.DISPLAY_SERVICE) as DisplayManager

    private fun cameras() = getSystemService(Context.CAMERA_SERVICE) as CameraManager

    /** From one landscape to the other, nothing else is called: no size changes. */
    override fun onDisplayChanged(displayId: Int) = turn()

    override fun onDisplayAdded(displayId: Int) = Unit

    override fun onDisplayRemoved(displayId: Int) = Unit

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data
        if (resultCode == RESULT_OK && uri != null) startActivity(ResultActivity.of(this, uri))
    }

    override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) {
        if (inFront && granted()) open(texture)
    }

    override fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int) = turn()

    override fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean = true

    override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit

    private fun open(texture: SurfaceTexture) {
        if (session != null || isFinishing) return
        shooting = false
        lateinit var now: CameraSession
        now = CameraSession(
            cameras(),
            hinted = { found -> runOnUiThread { show(found) } },
            taken = { jpeg -> runOnUiThread { answer(now, jpeg) } },
            failed = { runOnUiThread { refused(R.string.camera_failed) } },
        )
        session = now
        now.previewSize?.let { size ->
            val across = (now.sensorTurn + phoneTurn()) % 180 != 0
            if (across) frame.setProportions(size.height, size.width) else frame.setProportions(size.width, size.height)
        }
        now.open(texture)
        turn()
    }

    /** A TextureView shows frames as in portrait; turned, they have to be turned back. */
    private fun turn() {
        val turn = phoneTurn()
        val width = preview.width.toFloat()
        val height = preview.height.toFloat()
        val matrix = Matrix()
        if (turn == 90 || turn == 270) {
            val view = RectF(0f, 0f, width, height)
            val buffer = RectF(0f, 0f, height, width)
            buffer.offset(view.centerX() - buffer.centerX(), view.centerY() - buffer.centerY())
            matrix.setRectToRect(view, buffer, Matrix.ScaleToFit.FILL)
            matrix.postRotate(if (turn == 90) -90f else 90f, view.centerX(), view.centerY())
        } else if (turn == 180) {
            matrix.postRotate(180f, width / 2, height / 2)
        }
        preview.setTransform(matrix)
    }

    private fun phoneTurn(): Int {
        @Suppress("DEPRECATION") // what replaces it needs Android 11
        return when (windowManager.defaultDisplay.rotation) {
            Surface.ROTATION_90 -> 90
            Surface.ROTATION_180 -> 180
            Surface.ROTATION_270 -> 270
            else -> 0
        }
    }

    private fun show(found: Hint) {
        if (session == null) return
        shoot.isEnabled = !shooting
        guide.good = found == Hint.GOOD
        if (found == told) return // TalkBack speaks at every change of the text
        told = found
        hint.text = getString(
            when (found) {
                Hint.TOO_DARK -> R.string.hint_dark
                Hint.TOO_BRIGHT -> R.string.hint_bright
                Hint.BLURRED -> R.string.hint_blurred
                Hint.GOOD -> R.string.hint_good
            },
        )
    }

    /** A picture that comes when its session is closed is dropped: the screen shows another scene by then. */
    private fun answer(from: CameraSession, jpeg: ByteArray) {
        if (session !== from || isFinishing || isDestroyed) return
        Captured.put(jpeg)
        startActivity(ResultActivity.ofCamera(this))
    }

    private fun refused(message: Int) {
        session?.close()
        session = null
        shoot.visibility = View.GONE
        frame.visibility = View.GONE // there is no ring to hold anything in
        guideText.visibility = View.GONE // and little room in landscape
        hint.text = getString(message)
        gallery.visibility = View.VISIBLE
    }

    private companion object {
        const val ASKED = "asked"
    }
}
