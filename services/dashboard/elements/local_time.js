export default {
  template: `<time :datetime="at" :title="whole">{{ text }}</time>`,
  props: { at: String, look: String, none: String },
  data() { return { tick: 0 }; },
  computed: {
    whole() { return this.at ? window.tracker.looks.full(this.at) : ""; },
    text() {
      if (!this.at) return this.none;
      void this.tick;
      return window.tracker.looks[this.look](this.at);
    },
  },
  mounted() { if (this.look === "ago") this.timer = setInterval(() => this.tick++, 1000); },
  unmounted() { clearInterval(this.timer); },
};
