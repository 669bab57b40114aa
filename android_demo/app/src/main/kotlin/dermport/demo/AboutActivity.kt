package dermport.demo

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.TextView
import dermport.core.Fault
import dermport.core.Notice

/** The first screen: what this is and is not, the model card, and the ways on. */
class AboutActivity : Activity() {
    private lateinit var card: TextView
    private lateinit var licence: TextView
    private lateinit var problem: TextView
    private lateinit var shipped: Button

    // Both outlive a rotation: what the worker finds out meanwhile goes to the screen that is there then.
    private lateinit var notice: Notice<String>
    private lateinit var opened: Notice<OpenedModel>

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.about)
        SystemBars.keepClear(findViewById(R.id.screen) as View)
        card = findViewById(R.id.card) as TextView
        licence = findViewById(R.id.licence) as TextView
        problem = findViewById(R.id.problem) as TextView
        shipped = findViewById(R.id.shipped_model) as Button
        @Suppress("DEPRECATION") // the way of the framework without a library
        val kept = lastNonConfigurationInstance as Kept?
        notice = kept?.notice ?: Notice(savedInstanceState?.getString(MESSAGE))
        opened = kept?.opened ?: Notice(null)
        notice.attach(::tell)
        opened.attach(::show)
        onClick(R.id.take_picture) { startActivity(Intent(this, CameraActivity::class.java)) }
        onClick(R.id.choose_picture) { choose(PictureChooser.PICTURE) }
        onClick(R.id.benchmark) { startActivity(Intent(this, BenchmarkActivity::class.java)) }
        onClick(R.id.open_model) { choose(PictureChooser.MODEL) }
        val context = applicationContext
        onClick(R.id.shipped_model) {
            open {
                OpenedModel.forget(context)
                Diagnoser.use(null)
                Diagnoser.model(context)
            }
        }
    }

    override fun onStart() {
        super.onStart()
        val context = applicationContext
        open { Diagnoser.model(context) }
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        notice.message?.let { outState.putString(MESSAGE, it) }
    }

    @Suppress("OVERRIDE_DEPRECATION")
    override fun onRetainNonConfigurationInstance(): Any? = Kept(notice, opened)

    override fun onDestroy() {
        super.onDestroy()
        notice.detach()
        opened.detach()
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data
        if (resultCode != RESULT_OK || uri == null) return
        if (requestCode == PictureChooser.PICTURE) {
            startActivity(ResultActivity.of(this, uri))
        } else {
            val context = applicationContext
            open { Diagnoser.adopt(context, uri) }
        }
    }

    private fun choose(what: Int) {
        if (!PictureChooser.choose(this, what)) notice.say(Words.of(resources, Fault.ChooserMissing))
    }

    /** Opens a model on the worker; the screen may be another one when it is done. */
    private fun open(work: () -> OpenedModel) {
        val words = applicationContext.resources
        val notice = notice
        val opened = opened
        Diagnoser.background(work, { opened.say(it) }, { notice.say(Words.of(words, it)) })
    }

    private fun show(model: OpenedModel?) {
        if (model == null) return
        card.text = ModelCard.text(resources, model)
        licence.text = model.file.contract.license
        shipped.visibility = if (model.asset == null) View.VISIBLE else View.GONE
    }

    private fun tell(message: String?) {
        problem.text = message ?: ""
        problem.visibility = if (message == null) View.GONE else View.VISIBLE
        if (message != null && opened.message == null) card.text = "" // it is not being read any more
        // an app that was updated may not read the model that was opened before
        if (message != null && OpenedModel.isAdopted(this)) shipped.visibility = View.VISIBLE
    }

    /** A message stays until the person does something else. */
    private fun onClick(id: Int, action: () -> Unit) = (findViewById(id) as View).setOnClickListener {
        notice.clear()
        action()
    }

    private class Kept(val notice: Notice<String>, val opened: Notice<OpenedModel>)

    private companion object {
        const val MESSAGE = "message"
    }
}
