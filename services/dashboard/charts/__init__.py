"""What charts show, as plain options of ECharts made of rows: nothing here reads or draws."""
