package dermport.demo

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.TextView

/** The first screen: what this is and is not, the model card, and the ways on. */
class AboutActivity : Activity() {
    private lateinit var card: TextView
    private lateinit var licence: TextView
    private lateinit var problem: TextView
    private lateinit var shipped: Button

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.about)
        SystemBars.keepClear(findViewById(R.id.screen) as View)
        card = findViewById(R.id.card) as TextView
        licence = findViewById(R.id.licence) as TextView
        problem = findViewById(R.id.problem) as TextView
        shipped = findViewById(R.id.shipped_model) as Button
        onClick(R.id.take_picture) { startActivity(Intent(this, CameraActivity::class.java)) }
        onClick(R.id.choose_picture) { choose(PictureChooser.PICTURE) }
        onClick(R.id.benchmark) { startActivity(Intent(this, BenchmarkActivity::class.java)) }
        onClick(R.id.open_model) { choose(PictureChooser.MODEL) }
        onClick(R.id.shipped_model) {
            show {
                OpenedModel.forget(applicationContext)
                Diagnoser.use(null)
                Diagnoser.model(applicationContext)
            }
        }
    }

    override fun onStart() {
        super.onStart()
        show { Diagnoser.model(applicationContext) }
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data
        if (resultCode != RESULT_OK || uri == null) return
        if (requestCode == PictureChooser.PICTURE) {
            startActivity(ResultActivity.of(this, uri))
        } else {
            show {
                val full = getString(R.string.storage_full)
                val gone = getString(R.string.no_file)
                OpenedModel.adopt(applicationContext, uri, full, gone).also { Diagnoser.use(it) }
            }
        }
    }

    private fun choose(what: Int) {
        if (!PictureChooser.choose(this, what)) failed(getString(R.string.no_app))
    }

    private fun show(open: () -> OpenedModel) {
        problem.visibility = View.GONE
        Diagnoser.background(this, open, ::opened, ::failed)
    }

    private fun opened(model: OpenedModel) {
        card.text = ModelCard.text(resources, model)
        licence.text = model.file.contract.license
        shipped.visibility = if (model.asset == null) View.VISIBLE else View.GONE
    }

    private fun failed(message: String) {
        problem.text = message
        problem.visibility = View.VISIBLE
        // an app that was updated may not read the model that was opened before
        if (OpenedModel.isAdopted(this)) shipped.visibility = View.VISIBLE
    }

    private fun onClick(id: Int, action: () -> Unit) = (findViewById(id) as View).setOnClickListener { action() }
}
