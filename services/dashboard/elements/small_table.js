export default {
  template: `
    <div class="small-table">
      <table v-if="rows.length">
        <thead><tr><th v-for="c in columns" :class="kind(c)">{{ c.label }}</th></tr></thead>
        <tbody>
          <tr v-for="row in rows" @click="$emit('chosen', row)" :class="{ choice: choosable }">
            <td v-for="c in columns" :class="[kind(c), tracker.tone(c.look, row[c.name])]" :title="row[c.hint]">{{
              tracker.show(c.look, row[c.name], tick) }}</td>
          </tr>
        </tbody>
      </table>
      <p v-else class="nothing">{{ nothing }}</p>
    </div>`,
  props: { columns: Array, rows: Array, nothing: String, choosable: Boolean },
  data() { return { tick: 0, tracker: window.tracker }; },
  methods: { kind(c) { return c.look === "wrapped" ? "wrapped" : window.tracker.numeric(c.look) ? "n" : ""; } },
  mounted() { if (this.columns.some((c) => c.look === "ago")) this.timer = setInterval(() => this.tick++, 1000); },
  unmounted() { clearInterval(this.timer); },
};
